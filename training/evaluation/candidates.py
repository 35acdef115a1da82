"""Every threshold that validation rows allow, and the bound of a share that choosing among them rests on.

`training.evaluation.thresholds` chooses; here is what it chooses from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import beta

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIST_GROWTH: Final = 1.5
"""Each list that a precision is promised of is so many times as long as the one before. A finer ladder looks more
often, and each look costs confidence; a coarser one passes by good lists."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Every threshold that validation rows allow, from the strictest on; m of them.

    Attributes:
        value: Shape (m,), falling.
        hits: Shape (m,), events flagged.
        flagged: Shape (m,), rows flagged.
        flagged_accounts: Shape (m,), accounts that these rows belong to.
        enough: Shape (m,), whether it flags at least `min_alerts` accounts, or all there are.
        events: Events in all rows.
        event_accounts: Accounts that these belong to.
        order: Shape (n,), rows by falling probability.
        last: Shape (n,), whether a row in that order is the last of its tie.
    """

    value: NDArray[np.float64]
    hits: NDArray[np.float64]
    flagged: NDArray[np.float64]
    flagged_accounts: NDArray[np.float64]
    enough: NDArray[np.bool_]
    events: float
    event_accounts: float
    order: NDArray[np.intp]
    last: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        label: NDArray[np.float64],
        probability: NDArray[np.float64],
        min_alerts: int,
        account_id: NDArray[np.object_] | None,
    ) -> Candidates:
        """Return the thresholds of n rows.

        Args:
            label: Shape (n,), 0 or 1, or the chance of 1.
            probability: Shape (n,).
            min_alerts: The fewest accounts that a threshold should flag.
            account_id: Shape (n,): whose rows they are; without it each is an account of its own.
        """
        codes = (
            np.arange(len(label))
            if account_id is None
            else np.unique(account_id.astype(str), return_inverse=True)[1]
        )
        order = np.argsort(-probability, kind="stable")
        ordered = probability[order]
        last = np.concatenate((ordered[1:] != ordered[:-1], [True]))
        new = np.zeros(len(label))
        new[np.unique(codes[order], return_index=True)[1]] = 1.0
        accounts = np.cumsum(new)
        return cls(
            value=ordered[last],
            hits=np.cumsum(label[order])[last],
            flagged=np.arange(1, len(label) + 1, dtype=np.float64)[last],
            flagged_accounts=accounts[last],
            enough=accounts[last] >= min(min_alerts, accounts[-1]),
            events=float(label.sum()),
            event_accounts=float(len(np.unique(codes[label > 0]))),
            order=order,
            last=last,
        )

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 of each threshold, shape (m,); -1 where it flags too few."""
        return np.where(self.enough, 2 * self.hits / (self.flagged + self.events), -1.0)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Precision of each threshold, shape (m,)."""
        return self.hits / self.flagged

    @property
    def event_rate(self) -> float:
        """Share of events among all rows: the precision of flagging everybody, or anybody by lot."""
        return self.events / float(self.flagged[-1])

    def share_of_rows(self, index: int) -> float:
        """Return which share of all rows the threshold at *index* flags."""
        return float(self.flagged[index] / self.flagged[-1])

    def precision_low(self, confidence: float) -> NDArray[np.float64]:
        """Return the lower bound of each threshold's precision, each account counted once, shape (m,)."""
        return clopper_pearson_low(self.precision * self.flagged_accounts, self.flagged_accounts, confidence)

    def short_lists(self, target_precision: float) -> NDArray[np.intp]:
        """Return the positions of a few thresholds whose lists can be compared without looking too often.

        They are the strictest that flag the fewest accounts allowed, `LIST_GROWTH` times as many, and so on. None flags
        more rows than `events / target_precision`: so long a list can't have that precision even if it holds every
        event.

        Args:
            target_precision: What is wanted of a list.
        """
        shortest = float(self.flagged_accounts[np.argmax(self.enough)])
        steps = np.arange(1 + np.log(self.flagged_accounts[-1] / shortest) // np.log(LIST_GROWTH))
        found = np.unique(np.searchsorted(self.flagged_accounts, shortest * LIST_GROWTH**steps))
        return found[self.flagged[found] * target_precision <= self.events]


def clopper_pearson_low(
    hits: NDArray[np.float64], flagged: NDArray[np.float64], confidence: float
) -> NDArray[np.float64]:
    """Return the one-sided lower bound of a share (Clopper and Pearson 1934), elementwise; 0 without hits."""
    with np.errstate(invalid="ignore"):
        low = beta.ppf(1 - confidence, hits, flagged - hits + 1)
    return np.asarray(np.where(hits > 0, low, 0.0), dtype=np.float64)
