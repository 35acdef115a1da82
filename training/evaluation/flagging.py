"""What flagging comes to on test rows: precision, recall, F1, money classified correctly, money earned.

Every figure is a ratio of sums over rows, so that all of them share one pass of the account bootstrap.

Revenue-protection accuracy is the share of MRR at risk that is classified correctly: of the MRR (currency a month, at
the cutoff) of all tested rows, that of rows which were flagged and had the event, or were not flagged and had none.
Where events are rare, flagging nobody reaches a high share too, so that share always stands beside it, and what ours
adds to it; so does the share of the MRR with an event that was flagged (`revenue_recall`). Every target is held against
what flagging nobody and flagging everybody come to: one that either of them meets says nothing for a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap
    from training.evaluation.thresholds import Stakes
    from training.threshold_definitions import Targets

_TAIL = 0.025
"""Of a 95 % interval, on either side."""


def flagging(
    bootstrap: AccountBootstrap,
    label: NDArray[np.float64],
    flagged: NDArray[np.bool_] | NDArray[np.float64],
    *,
    mrr: NDArray[np.float64] | None = None,
    stakes: Stakes | None = None,
    among: NDArray[np.bool_] | None = None,
) -> dict[str, Estimate]:
    """Return the figures of flagging, each with its interval.

    Args:
        bootstrap: Resamples of the accounts of the n rows.
        label: Shape (n,), 0 or 1.
        flagged: Shape (n,); the chance of being flagged where ties are broken at random.
        mrr: Shape (n,), currency a month; without it there are no figures of revenue.
        stakes: What flagging costs and brings; without it there is no value.
        among: Shape (n,), rows that count; all if None.

    A precision or recall of exactly 0 or 1 has the interval of that share of as many accounts (Clopper and Pearson).

    Returns:
        `precision`, `recall`, `f1` and `flagged_ratio`; with MRR also `revenue_protection_accuracy`,
        `revenue_protection_accuracy_flagging_nobody`, `revenue_protection_accuracy_gain` (the former less the latter,
        on the same resamples) and `revenue_recall`; with stakes `value_per_account`, in the currency of MRR a row.
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
        found["revenue_protection_accuracy_gain"] = _ratio(correct - quiet, total)
        found["revenue_recall"] = _ratio(caught, leaving)
    if stakes is not None:
        found["value_per_account"] = _ratio(sums[-1], rows)
    estimates = {name: bootstrap.summarise(values) for name, values in found.items()}
    whole = {"precision": counted * flag, "recall": counted * label}
    return estimates | {
        name: _never_certain(estimates[name], bootstrap.accounts(rows > 0)) for name, rows in whole.items()
    }


def _never_certain(share: Estimate, accounts: int) -> Estimate:
    """Return a share of 0 or 1 with the interval that so many accounts allow; resamples of it never differ."""
    if share.value not in (0.0, 1.0) or not accounts:
        return share
    reach = _TAIL ** (1 / accounts)  # Clopper and Pearson 1934, all of n
    return Estimate(1.0, reach, 1.0) if share.value else Estimate(0.0, 0.0, 1 - reach)


def against_targets(
    figures: dict[str, Estimate],
    targets: Targets,
    *,
    nobody: dict[str, Estimate],
    everybody: dict[str, Estimate],
) -> dict[str, Any]:
    """Return each target beside its figure and a verdict: `met` or `missed` beyond noise, else `undecided`.

    A figure that has no value (no flagged row, say) is `missed`; one that the data can't give is left out.

    Args:
        figures: Of the rule that is judged.
        targets: What is wanted.
        nobody: Figures of flagging nobody on the same rows.
        everybody: Figures of flagging everybody.

    Returns:
        Per target `target`, `value`, `low`, `high`, `verdict`, `flagging_nobody` and `flagging_everybody` (their
        values, None where undefined), and `sentence`: the verdict in words, with which of the two reaches it too.
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
        trivial = {
            kind: round(made[name].value, 6) if np.isfinite(made[name].value) else None
            for kind, made in (("nobody", nobody), ("everybody", everybody))
        }
        gain = figures.get(f"{name}_gain")
        found[name] = {
            "target": target,
            **figure.as_dict(),
            "verdict": verdict,
            **{f"flagging_{kind}": value for kind, value in trivial.items()},
            "sentence": _in_words(verdict, target, trivial, worse=gain is not None and gain.high < 0),
        }
    return found


def _in_words(verdict: str, target: float, trivial: dict[str, float | None], *, worse: bool) -> str:
    """Return a verdict with what it is worth: who reaches the target without any model, and whether by more."""
    idle = next(
        ((kind, value) for kind, value in trivial.items() if value is not None and value >= target), None
    )
    if idle is None:
        return verdict
    kind, value = idle
    if verdict == "met":
        more = " and by more" if worse and kind == "nobody" else ""
        return f"met, but so does flagging {kind}{more} ({value:.3f})"
    return verdict if kind == "everybody" else f"{verdict}, though flagging nobody reaches {value:.3f}"


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(denominator > 0, numerator / denominator, np.nan), dtype=np.float64)
