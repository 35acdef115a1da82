"""Choosing a decision threshold on validation rows: by precision, recall, F1 or value, and honest when it can't be had.

Where a precision or a recall is promised with confidence, each account counts once, however many rows it has: rows of
one account resemble one another, at worst they are one observation made several times. So the Clopper-Pearson bound is
that of the share among rows, had by as many independent accounts as stand behind it (an effective sample size, as in
Korn and Graubard 1998, at the largest design effect).

What a threshold comes to on test rows is `training.evaluation.flagging`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.stats import beta

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.threshold_definitions import InterventionValue, ThresholdMode, ThresholdPolicy

Rule = Literal["precision_first", "recall_first", "f1", "value", "max_f1", "none"]
FLAGS_NOBODY = 1.0


@dataclass(frozen=True, slots=True)
class Threshold:
    """A chosen threshold and why it was chosen.

    Attributes:
        value: Probabilities at or above it are flagged.
        rule: The mode if its target was reached, `max_f1` if not, `none` if there was nothing to choose by or no
            threshold was worth it.
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


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Every threshold that validation rows allow, from the strictest on; m of them.

    Attributes:
        value: Shape (m,), falling.
        hits: Shape (m,), events flagged.
        flagged: Shape (m,), rows flagged.
        flagged_accounts: Shape (m,), accounts that these rows belong to.
        enough: Shape (m,), whether it flags at least `min_alerts` rows.
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
    ) -> _Candidates:
        codes = (
            np.arange(len(label))
            if account_id is None
            else np.unique(account_id.astype(str), return_inverse=True)[1]
        )
        order = np.argsort(-probability, kind="stable")
        ordered = probability[order]
        last = np.concatenate((ordered[1:] != ordered[:-1], [True]))
        flagged = np.arange(1, len(label) + 1, dtype=np.float64)[last]
        new = np.zeros(len(label))
        new[np.unique(codes[order], return_index=True)[1]] = 1.0
        return cls(
            value=ordered[last],
            hits=np.cumsum(label[order])[last],
            flagged=flagged,
            flagged_accounts=np.cumsum(new)[last],
            enough=flagged >= min(min_alerts, len(label)),
            events=float(label.sum()),
            event_accounts=float(len(np.unique(codes[label > 0]))),
            order=order,
            last=last,
        )

    @property
    def f1(self) -> NDArray[np.float64]:
        return np.where(self.enough, 2 * self.hits / (self.flagged + self.events), -1.0)


def clopper_pearson_low(
    hits: NDArray[np.float64], flagged: NDArray[np.float64], confidence: float
) -> NDArray[np.float64]:
    """Return the one-sided lower bound of a share (Clopper and Pearson 1934), elementwise; 0 without hits."""
    with np.errstate(invalid="ignore"):
        low = beta.ppf(1 - confidence, hits, flagged - hits + 1)
    return np.asarray(np.where(hits > 0, low, 0.0), dtype=np.float64)


def choose_threshold(
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
    policy: ThresholdPolicy,
    *,
    mode: ThresholdMode | None = None,
    stakes: Stakes | None = None,
    account_id: NDArray[np.object_] | None = None,
) -> Threshold:
    """Choose the threshold that *mode* asks for; where its target can't be reached, the one of the largest F1.

    Args:
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        policy: Targets, confidence and the fewest rows that a threshold must flag.
        mode: The rule; that of the policy if None.
        stakes: What flagging costs and brings, for the mode `value`; without them that mode falls back to F1.
        account_id: Shape (n,): whose rows they are, each counted once where a share is promised with confidence;
            without it each row counts.
    """
    if not label.any():
        return Threshold(
            FLAGS_NOBODY, "none", "validation holds no event, so no threshold can be judged; 1.0 flags nobody"
        )
    found = _Candidates.of(label, probability, policy.min_alerts, account_id)
    match mode or policy.mode:
        case "precision_first":
            return _precision_first(found, policy)
        case "recall_first":
            return _recall_first(found, policy)
        case "value" if stakes is not None:
            return _most_valuable(found, stakes.gained(label))
        case "value":
            return _largest_f1(
                found,
                "max_f1",
                "the data has no MRR, so no threshold can be valued; "
                "this one has the largest F1 ({f1:.2f}) on validation",
            )
        case "f1":
            return _largest_f1(found, "f1", "it has the largest F1 ({f1:.2f}) on validation")


def _precision_first(found: _Candidates, policy: ThresholdPolicy) -> Threshold:
    precision = found.hits / found.flagged
    low = clopper_pearson_low(precision * found.flagged_accounts, found.flagged_accounts, policy.confidence)
    reached = np.flatnonzero(found.enough & (low >= policy.target_precision))
    if not len(reached):
        return _largest_f1(
            found,
            "max_f1",
            f"no threshold reaches {policy.target_precision:.0%} precision with {policy.confidence:.0%} confidence "
            "on validation; this one has the largest F1 ({f1:.2f}) there",
        )
    best = int(reached[-1])
    return Threshold(
        float(found.value[best]),
        "precision_first",
        f"precision on validation is {precision[best]:.0%}, with {policy.confidence:.0%} confidence at least "
        f"{low[best]:.0%} (target {policy.target_precision:.0%}), by {found.flagged_accounts[best]:.0f} accounts",
    )


def _recall_first(found: _Candidates, policy: ThresholdPolicy) -> Threshold:
    accounts = np.full_like(found.hits, found.event_accounts)
    low = clopper_pearson_low(found.hits / found.events * accounts, accounts, policy.confidence)
    reached = np.flatnonzero(found.enough & (low >= policy.target_recall))
    if not len(reached):
        return _largest_f1(
            found,
            "max_f1",
            f"with events of {found.event_accounts:.0f} accounts no threshold surely reaches "
            f"{policy.target_recall:.0%} recall on validation; "
            "this one has the largest F1 ({f1:.2f}) there",
        )
    best = int(reached[0])
    return Threshold(
        float(found.value[best]),
        "recall_first",
        f"recall on validation is {found.hits[best] / found.events:.0%}, with {policy.confidence:.0%} confidence at "
        f"least {low[best]:.0%} (target {policy.target_recall:.0%}); precision there is "
        f"{found.hits[best] / found.flagged[best]:.0%}",
    )


def _largest_f1(found: _Candidates, rule: Literal["f1", "max_f1"], sentence: str) -> Threshold:
    best = int(np.argmax(found.f1))
    said = f"{sentence.format(f1=found.f1[best])}, and flags {found.flagged[best] / len(found.order):.0%} of its rows"
    return Threshold(float(found.value[best]), rule, said)


def _most_valuable(found: _Candidates, gained: NDArray[np.float64]) -> Threshold:
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
