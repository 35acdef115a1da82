"""Compares the arms of the ledger: what came of accounts under the full policy, in control arms, and held out.

Accounts are the unit, by the arm of their first decision, whether or not anything was proposed or shown: so chance
alone tells the arms apart, and a difference from the holdout is caused by the policy.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field

from keepgrow.ledger_events import Event, entries, events_by_account, last_end, was_gone
from serving.decisions.holdouts import GLOBAL
from serving.ledger.database import Database
from serving.ledger.decisions import DECISION
from serving.wilson import Z_95, wilson

HELD_OUT = "held out"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean or a difference with its central 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(slots=True)
class ArmFigures:
    """What came of the accounts of one arm.

    Attributes:
        arm: Its name, `held out` for the global holdout.
        with_action: Accounts whose first decision proposed an action.
        left: Per account, whether it was without a subscription at the window's end.
        grown: Per account, the MRR that it added within the window, in the catalogue's currency.
        expanded: Per account, whether it expanded within the window.
    """

    arm: str
    with_action: int = 0
    left: list[bool] = field(default_factory=list)
    grown: list[float] = field(default_factory=list)
    expanded: list[bool] = field(default_factory=list)

    @property
    def accounts(self) -> int:
        """Accounts of the arm."""
        return len(self.left)


@dataclass(frozen=True, slots=True)
class Compared:
    """An arm beside the accounts that were held out.

    Attributes:
        figures: The arm's own.
        retained: Difference of the share that stayed; None for the held out, or if there are none.
        expanded: Difference of the share that expanded.
        extra_mrr: Difference of the mean extra MRR of an account.
    """

    figures: ArmFigures
    retained: Estimate | None
    expanded: Estimate | None
    extra_mrr: Estimate | None


def compare_arms(database: Database, *, window_days: int, now: dt.datetime) -> list[Compared]:
    """Return every arm of the ledger, the held out first, then by name.

    An account counts once its window has passed; silence within it means that it stayed, or stayed away if it had no
    subscription before, and did not expand.

    Args:
        database: The ledger's.
        window_days: Days after an account's first decision whose outcomes count.
        now: Until when outcomes can be known.

    Raises:
        LedgerUnavailable: The database does not answer.
    """
    window = dt.timedelta(days=window_days)
    events = events_by_account(database)
    seen: set[str] = set()
    arms: dict[str, ArmFigures] = {}
    for entry in entries(database, DECISION):
        answer = entry.content["answer"]
        draw = answer.get("draw")
        if draw is None or entry.account_id is None or entry.account_id in seen:
            continue
        seen.add(entry.account_id)
        if entry.at + window > now:
            continue
        arm = HELD_OUT if GLOBAL in draw["held_out"] else str(draw["arm"])
        figures = arms.setdefault(arm, ArmFigures(arm))
        figures.with_action += answer["action"] is not None
        happened = [one for one in events[entry.account_id] if entry.at <= one.at < entry.at + window]
        _count(figures, happened, gone=was_gone(entry))
    control = arms.get(HELD_OUT)
    order = sorted(arms.values(), key=lambda one: (one.arm != HELD_OUT, one.arm))
    return [_compared(one, control) for one in order]


def _count(figures: ArmFigures, seen: list[Event], *, gone: bool) -> None:
    pays = last_end(seen)
    sales = [one for one in seen if one.event == "converted"]
    figures.left.append(gone if pays is None else not pays)
    figures.expanded.append(bool(sales))
    figures.grown.append(sum(one.extra_mrr or 0.0 for one in sales))


def _compared(one: ArmFigures, control: ArmFigures | None) -> Compared:
    if control is None or one is control:
        return Compared(one, None, None, None)
    stayed = [[not left for left in of.left] for of in (one, control)]
    return Compared(
        figures=one,
        retained=difference_of_shares(stayed[0], stayed[1]),
        expanded=difference_of_shares(one.expanded, control.expanded),
        extra_mrr=difference_of_means(one.grown, control.grown),
    )


def difference_of_shares(one: list[bool], other: list[bool]) -> Estimate:
    """Return the share of *one* less that of *other*, with a 95 % interval.

    Source: Newcombe, 1998, "Interval estimation for the difference between independent proportions: comparison of
    eleven methods", Statistics in Medicine 17, method 10: Wilson's intervals of both, combined as independent errors.
    """
    (p, low, high), (q, lower, higher) = _share(one), _share(other)
    gap = p - q
    return Estimate(gap, gap - math.hypot(p - low, higher - q), gap + math.hypot(high - p, q - lower))


def difference_of_means(one: list[float], other: list[float]) -> Estimate:
    """Return the mean of *one* less that of *other*, with a 95 % interval by the normal distribution."""
    (mean, error), (mean_of_other, error_of_other) = _mean(one), _mean(other)
    gap, spread = mean - mean_of_other, Z_95 * math.hypot(error, error_of_other)
    return Estimate(gap, gap - spread, gap + spread)


def _share(values: list[bool]) -> tuple[float, float, float]:
    """Return a share and the ends of its 95 % interval."""
    return sum(values) / len(values), *wilson(sum(values), len(values), Z_95)


def _mean(values: list[float]) -> tuple[float, float]:
    """Return a mean and its standard error; of a single value nobody knows how far it is off."""
    count, mean = len(values), sum(values) / len(values)
    if count < 2:  # noqa: PLR2004 -- a spread needs two
        return mean, math.inf
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    return mean, math.sqrt(variance / count)
