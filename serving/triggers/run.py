"""What one run of triggers did, counted by trigger and told account by account."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serving import metrics
from serving.decisions.decision import utc_text

if TYPE_CHECKING:
    import datetime as dt


@dataclass(slots=True)
class Run:
    """What one run did.

    Attributes:
        at: Its time.
        dry: Whether it only looked.
        accounts: Accounts that were looked at.
        stale: Accounts whose features are too old to do anything.
        unknown: Accounts of which the store holds nothing.
        counts: By trigger, how many: `fired`, `started`, `applied`, `task`, `nothing`, `held_out`, `ended`, `unknown`.
        accounts_done: What was done, account by account; accounts with nothing to do are left out.
    """

    at: dt.datetime
    dry: bool
    accounts: int = 0
    stale: int = 0
    unknown: list[str] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    accounts_done: list[dict[str, Any]] = field(default_factory=list)

    def count(self, trigger: str, what: str) -> None:
        """Count one of *what* for *trigger*, here and in the service's metrics unless this only looks."""
        self.counts.setdefault(trigger, Counter())[what] += 1
        if not self.dry and what != "unknown":
            metrics.triggers(trigger, what).inc()

    def total(self, what: str) -> int:
        """Return how many of *what* there were over all triggers."""
        return sum(counts[what] for counts in self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the run as the API shows it."""
        return {
            "at": utc_text(self.at),
            "accounts": self.accounts,
            "stale": self.stale,
            "triggers": {trigger: dict(counts) for trigger, counts in self.counts.items()},
            "results": self.accounts_done,
        }
