"""What flagging comes to on test rows: precision, recall, F1, money classified correctly, money earned.

Every figure is a ratio of sums over rows, so that all of them share one pass of the account bootstrap.

Revenue-protection accuracy is the share of MRR at risk that is classified correctly: of the MRR (currency a month, at
the cutoff) of all tested rows, that of rows which were flagged and had the event, or were not flagged and had none.
Where events are rare, flagging nobody reaches a high share too, so that share always stands beside it; so does the
share of the MRR with an event that was flagged (`revenue_recall`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap, Estimate
    from training.evaluation.thresholds import Stakes
    from training.threshold_definitions import Targets


def flagging(
    bootstrap: AccountBootstrap,
    label: NDArray[np.float64],
    flagged: NDArray[np.bool_],
    *,
    mrr: NDArray[np.float64] | None = None,
    stakes: Stakes | None = None,
    among: NDArray[np.bool_] | None = None,
) -> dict[str, Estimate]:
    """Return the figures of flagging, each with its interval.

    Args:
        bootstrap: Resamples of the accounts of the n rows.
        label: Shape (n,), 0 or 1.
        flagged: Shape (n,).
        mrr: Shape (n,), currency a month; without it there are no figures of revenue.
        stakes: What flagging costs and brings; without it there is no value.
        among: Shape (n,), rows that count; all if None.

    Returns:
        `precision`, `recall`, `f1` and `flagged_ratio`; with MRR also `revenue_protection_accuracy`,
        `revenue_protection_accuracy_flagging_nobody` and `revenue_recall`; with stakes `value_per_account`, in the
        currency of MRR a row.
    """
    flag = flagged.astype(np.float64)
    counted = np.ones_like(label) if among is None else among.astype(np.float64)
    columns = [np.ones_like(label), label, flag, flag * label]
    if mrr is not None:
        right = flag * label + (1 - flag) * (1 - label)
        columns += [mrr, mrr * right, mrr * (1 - label), mrr * label, mrr * label * flag]
    if stakes is not None:
        columns.append(flag * stakes.gained(label))
    sums = bootstrap.sums(np.column_stack(columns) * counted[:, None]).T
    rows, events, flags, hits = sums[:4]
    found = {
        "precision": _ratio(hits, flags),
        "recall": _ratio(hits, events),
        "f1": _ratio(2 * hits, flags + events),
        "flagged_ratio": _ratio(flags, rows),
    }
    if mrr is not None:
        total, correct, quiet, leaving, caught = sums[4:9]
        found["revenue_protection_accuracy"] = _ratio(correct, total)
        found["revenue_protection_accuracy_flagging_nobody"] = _ratio(quiet, total)
        found["revenue_recall"] = _ratio(caught, leaving)
    if stakes is not None:
        found["value_per_account"] = _ratio(sums[-1], rows)
    return {name: bootstrap.summarise(values) for name, values in found.items()}


def against_targets(figures: dict[str, Estimate], targets: Targets) -> dict[str, Any]:
    """Return each target beside its figure and a verdict: `met` or `missed` beyond noise, else `undecided`.

    A figure that has no value (no flagged row, say) is `missed`; one that the data can't give is left out.
    """
    found = {}
    for name, target in targets.model_dump().items():
        figure = figures.get(name)
        if figure is None:
            continue
        verdict = "undecided"
        if not np.isfinite(figure.value) or figure.high < target:
            verdict = "missed"
        elif figure.low >= target:
            verdict = "met"
        found[name] = {"target": target, **figure.as_dict(), "verdict": verdict}
    return found


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(denominator > 0, numerator / denominator, np.nan), dtype=np.float64)
