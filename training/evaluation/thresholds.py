"""Choosing a decision threshold on validation rows: by precision, recall, F1 or value, and honest when it can't be had.

Where a precision or a recall is promised with confidence, each account counts once, however many rows it has: rows of
one account resemble one another, at worst they are one observation made several times. So the Clopper-Pearson bound is
that of the share among rows, had by as many independent accounts as stand behind it (an effective sample size, as in
Korn and Graubard 1998, at the largest design effect).

The best of many bounds flatters: it is the one that luck raised most. So precision is promised of a few lists only,
each half again as long as the one before, with bounds that hold together (Bonferroni), and of thresholds tested in turn
from the longest such list on (Angelopoulos et al. 2021, fixed sequences with several starts). Recall needs no such
care: it never falls as the threshold does, so thresholds can be tested in turn from the loosest on, up to the first
that fails, which costs no confidence (Maurer, Hothorn and Lehmacher 1995).

What a threshold comes to on test rows is `training.evaluation.flagging`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from training.evaluation.candidates import Candidates, clopper_pearson_low

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.threshold_definitions import InterventionValue, ThresholdMode, ThresholdPolicy

Rule = Literal["precision_first", "recall_first", "f1", "value", "best_precision", "best_recall", "none"]
FLAGS_NOBODY: Final = 1.0
AS_GOOD: Final = 0.9
"""A list is as good as the best if its precision's bound is within a tenth of the best one's. A share of twenty
accounts has a standard error of ten points: so small a lead is luck, and not worth a list several times shorter."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A chosen threshold and why it was chosen.

    Attributes:
        value: Probabilities at or above it are flagged.
        rule: The mode if its target was reached; if not, `best_precision` or `best_recall`; `none` if there was nothing
            to choose by, or no threshold was worth it.
        sentence: The choice in words.
    """

    value: float
    rule: Rule
    sentence: str


@dataclass(frozen=True, slots=True)
class Stakes:
    """What flagging n rows costs and brings, in the currency of MRR.

    Attributes:
        benefit: Shape (n,): gained by flagging a row whose event comes.
        cost: Spent on every flagged row.
    """

    benefit: NDArray[np.float64]
    cost: float

    @classmethod
    def of(cls, mrr: NDArray[np.float64], value: InterventionValue, margin_ratio: float) -> Stakes:
        """Return the stakes of rows with this MRR: `margin * success * mrr_ratio * MRR * months` against the cost."""
        worth = margin_ratio * value.success_ratio * value.mrr_ratio * value.months
        return cls(benefit=worth * mrr, cost=value.cost)

    def gained(self, label: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what flagging each row would have brought, net of its cost, shape (n,)."""
        return self.benefit * label - self.cost


def choose_threshold(
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
    policy: ThresholdPolicy,
    *,
    mode: ThresholdMode | None = None,
    stakes: Stakes | None = None,
    account_id: NDArray[np.object_] | None = None,
) -> Threshold:
    """Choose the threshold that *mode* asks for; where its target can't be reached, the best in the same spirit.

    Precision first falls back to the longest of those lists whose promised precision is as good as the best, if that
    is surely better than drawing accounts by lot, else to nobody. Recall first falls back to the strictest threshold
    that finds every event of validation.

    Args:
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        policy: Targets, confidence and the fewest accounts that a threshold must flag.
        mode: The rule; that of the policy if None.
        stakes: What flagging costs and brings, for the mode `value`; without them that mode puts precision first.
        account_id: Shape (n,): whose rows they are, each counted once where a share is promised with confidence;
            without it each row counts.
    """
    if not label.any():
        return Threshold(
            FLAGS_NOBODY, "none", "validation holds no event, so no threshold can be judged; 1.0 flags nobody"
        )
    found = Candidates.of(label, probability, policy.min_alerts, account_id)
    match mode or policy.mode:
        case "precision_first":
            return _precision_first(found, policy)
        case "recall_first":
            return _recall_first(found, policy)
        case "value" if stakes is not None:
            return _most_valuable(found, stakes.gained(label))
        case "value":
            instead = _precision_first(found, policy)
            said = f"the data has no MRR, so no threshold can be valued, and precision comes first: {instead.sentence}"
            return Threshold(instead.value, instead.rule, said)
        case "f1":
            return _largest_f1(found)


def _precision_first(found: Candidates, policy: ThresholdPolicy) -> Threshold:
    lists = found.short_lists(policy.target_precision)
    low = found.precision_low(1 - (1 - policy.confidence) / max(1, len(lists)))
    enough = low >= policy.target_precision
    reached = lists[enough[lists]]
    if not len(reached):
        return _best_precision(found, lists, low, policy)
    best = int(reached[-1])
    # Looser thresholds in turn, up to the first that fails: a sequence fixed beforehand costs no confidence.
    best += int(np.argmin(np.append(enough[best:], False))) - 1
    return Threshold(
        float(found.value[best]),
        "precision_first",
        f"precision on validation is {found.precision[best]:.0%}, with {policy.confidence:.0%} confidence at least "
        f"{low[best]:.0%} (target {policy.target_precision:.0%}), by {found.flagged_accounts[best]:.0f} accounts",
    )


def _best_precision(
    found: Candidates, lists: NDArray[np.intp], low: NDArray[np.float64], policy: ThresholdPolicy
) -> Threshold:
    missed = f"{policy.target_precision:.0%} precision can't be promised on validation"
    if not len(lists):
        return Threshold(
            FLAGS_NOBODY,
            "none",
            f"{missed}, as its {found.events:.0f} events are too few for a list of {policy.min_alerts} accounts; "
            "1.0 flags nobody",
        )
    sure = lists[low[lists] > found.event_rate]
    if not len(sure):
        return Threshold(
            FLAGS_NOBODY,
            "none",
            f"{missed}, and no short list surely holds more events than one drawn by lot, of which "
            f"{found.event_rate:.1%} would be events; 1.0 flags nobody",
        )
    best = int(sure[low[sure] >= AS_GOOD * low[sure].max()][-1])
    return Threshold(
        float(found.value[best]),
        "best_precision",
        f"{missed}; of this short list, the best that can be had, {found.precision[best]:.0%} are events there, with "
        f"{policy.confidence:.0%} confidence at least {low[best]:.1%}, by {found.flagged_accounts[best]:.0f} accounts "
        f"(by lot {found.event_rate:.1%}); it flags {found.share_of_rows(best):.1%} of the rows",
    )


def _recall_first(found: Candidates, policy: ThresholdPolicy) -> Threshold:
    accounts = np.full_like(found.hits, found.event_accounts)
    recall = found.hits / found.events
    low = clopper_pearson_low(recall * accounts, accounts, policy.confidence)
    reached = np.flatnonzero(found.enough & (low >= policy.target_recall))
    if not len(reached):
        return _best_recall(found, low, policy)
    best = int(reached[0])
    return Threshold(
        float(found.value[best]),
        "recall_first",
        f"recall on validation is {recall[best]:.0%}, with {policy.confidence:.0%} confidence at "
        f"least {low[best]:.0%} (target {policy.target_recall:.0%}); precision there is {found.precision[best]:.0%}",
    )


def _best_recall(found: Candidates, low: NDArray[np.float64], policy: ThresholdPolicy) -> Threshold:
    """Return the strictest threshold that finds all k events, of which k / (k + 1) are expected to be found again."""
    best = int(np.flatnonzero(found.enough & (low >= low[-1]))[0])
    return Threshold(
        float(found.value[best]),
        "best_recall",
        f"with events of {found.event_accounts:.0f} accounts no threshold surely reaches "
        f"{policy.target_recall:.0%} recall; this one finds all of them on validation, with "
        f"{policy.confidence:.0%} confidence at least {low[best]:.0%}; it flags {found.share_of_rows(best):.0%} of the "
        "rows",
    )


def _largest_f1(found: Candidates) -> Threshold:
    best = int(np.argmax(found.f1))
    return Threshold(
        float(found.value[best]),
        "f1",
        f"it has the largest F1 ({found.f1[best]:.2f}) on validation, and flags {found.share_of_rows(best):.0%} of its "
        "rows",
    )


def _most_valuable(found: Candidates, gained: NDArray[np.float64]) -> Threshold:
    value = np.where(found.enough, np.cumsum(gained[found.order])[found.last], -np.inf)
    best = int(np.argmax(value))
    if value[best] <= 0:
        return Threshold(
            FLAGS_NOBODY,
            "none",
            "on validation no threshold brings in more than acting on the flagged accounts costs; 1.0 flags nobody",
        )
    return Threshold(
        float(found.value[best]),
        "value",
        f"acting on the {found.flagged[best]:.0f} rows that it flags on validation brings most: {value[best]:,.0f} in "
        "the currency of MRR, net of cost",
    )
