"""What an action has shown, week by week: how it was made, taken, undone and complained of.

Everything is counted in the week in which the action was proposed or applied, however late an outcome comes, so that
each ratio is a share of its own denominator.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from serving.ledger.outcomes import SEEN
from serving.wilson import Ratio

if TYPE_CHECKING:
    from collections.abc import Iterable

WEEK: Final = dt.timedelta(days=7)
COUNTS: Final = (
    "proposed", "accounts", "shown", "rejected", "complained", "applied", "reversed", "checked", "valid",
)  # fmt: skip
"""What is counted of a week; `accounts` of several weeks together is of accounts in each week."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A decision that proposed the action, or would have, had the ladder let it.

    Attributes:
        at: When it was made.
        account_id: The account.
        valid: Whether the action drafts without a fault of form.
        events: What came of it, by the names of outcomes.
    """

    at: dt.datetime
    account_id: str
    valid: bool
    events: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Applied:
    """One application of the action.

    Attributes:
        at: When.
        undone: Whether it was rolled back, or reported as reversed.
        given_up: Whether an effect of it could not be delivered.
    """

    at: dt.datetime
    undone: bool
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted of one action within one span of time.

    Attributes:
        proposed: Decisions that proposed it, or would have.
        accounts: Accounts that these were about.
        shown: Of the decisions, those by whose outcomes somebody saw it.
        rejected: Of the shown, those that were rejected.
        complained: Of the shown, those that were complained of.
        applied: Times that it was applied.
        reversed: Of these, those undone.
        checked: Proposals that were drafted again, and applications whose effects left.
        valid: Of these, proposals without a fault of form, and applications none of whose effects was given up.
    """

    proposed: int = 0
    accounts: int = 0
    shown: int = 0
    rejected: int = 0
    complained: int = 0
    applied: int = 0
    reversed: int = 0
    checked: int = 0
    valid: int = 0

    @property
    def reversal(self) -> Ratio:
        """Of the applications, those undone."""
        return Ratio(self.reversed, self.applied)

    @property
    def complaint(self) -> Ratio:
        """Of the decisions that showed it, those complained of."""
        return Ratio(self.complained, self.shown)

    @property
    def rejection(self) -> Ratio:
        """Of the decisions that showed it, those rejected."""
        return Ratio(self.rejected, self.shown)

    @property
    def validity(self) -> Ratio:
        """Of what was made, what was well made."""
        return Ratio(self.valid, self.checked)

    def to_dict(self) -> dict[str, int]:
        """Return the counts as the ledger holds them."""
        return {name: getattr(self, name) for name in COUNTS}


@dataclass(frozen=True, slots=True)
class Week:
    """The figures of one whole week.

    Attributes:
        start: When it began.
        figures: What was counted.
    """

    start: dt.datetime
    figures: Figures

    def to_dict(self) -> dict[str, Any]:
        """Return it as the ledger holds it."""
        return {"start": self.start.astimezone(dt.UTC).isoformat(), **self.figures.to_dict()}


@dataclass(slots=True)
class History:
    """All that is known of one action at its level.

    Attributes:
        since: Since when it has been at its level without a break.
        proposals: Decisions that proposed it, or would have.
        applications: Times that it was applied.
    """

    since: dt.datetime
    proposals: list[Proposed] = field(default_factory=list)
    applications: list[Applied] = field(default_factory=list)

    def whole_weeks(self, until: dt.datetime) -> int:
        """Return how many whole weeks it has been at its level at *until*."""
        return max(0, (until - self.since) // WEEK)

    def weeks(self, until: dt.datetime, most: int) -> list[Week]:
        """Return the last whole weeks at the level before *until*, oldest first, *most* at most."""
        whole = self.whole_weeks(until)
        wanted = range(max(0, whole - most), whole)
        proposals: dict[int, list[Proposed]] = defaultdict(list)
        for proposal in self.proposals:
            proposals[(proposal.at - self.since) // WEEK].append(proposal)
        applications: dict[int, list[Applied]] = defaultdict(list)
        for application in self.applications:
            applications[(application.at - self.since) // WEEK].append(application)
        return [
            Week(self.since + number * WEEK, counted(proposals[number], applications[number]))
            for number in wanted
        ]


def counted(proposals: Iterable[Proposed], applications: Iterable[Applied]) -> Figures:
    """Return the figures of what happened within one span of time."""
    proposals, applications = list(proposals), list(applications)
    seen = [one for one in proposals if one.events & SEEN]
    return Figures(
        proposed=len(proposals),
        accounts=len({one.account_id for one in proposals}),
        shown=len(seen),
        rejected=sum("rejected" in one.events for one in seen),
        complained=sum("complained" in one.events for one in seen),
        applied=len(applications),
        reversed=sum(one.undone for one in applications),
        checked=len(proposals) + len(applications),
        valid=sum(one.valid for one in proposals) + sum(not one.given_up for one in applications),
    )


def together(weeks: Iterable[Week]) -> Figures:
    """Return the figures of several weeks, added up."""
    weeks = list(weeks)
    return Figures(**{name: sum(getattr(week.figures, name) for week in weeks) for name in COUNTS})
