"""Gates on the candidate's test rows: calibrated, not leaking, fair, not too good to be true."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation import metrics
from training.evaluation.baselines import Column
from training.evaluation.coverage import GROUPS, coverage_by_group
from training.evaluation.fairness import parity_gaps, unmeasured
from training.evaluation.leakage import find_leaks
from training.evaluation.miscalibration import calibration_figures
from training.evaluation.slices import JudgedRows, slice_columns
from training.export.sessions import run_in_chunks
from training.promotion.gate import Gate, shown

if TYPE_CHECKING:
    from training.evaluation.fairness import Gap
    from training.limits import Limits
    from training.promotion.gate import Candidate, JudgedHead

_SHOWN_GAPS = 3
_CALIBRATION_FIGURES = 3
_UNMEASURED = (
    "gaps that nobody measured could hide anything: bring the column's feature or more accounts, or take the column "
    "out of that measure in fairness.refused_by in a file of limits, which goes on record"
)


def calibration_gates(one: JudgedHead, limits: Limits, seed: int, *, heads: int) -> list[Gate]:
    """Refuse probabilities whose observed / expected, slope or calibration error is surely beyond its limit.

    Args:
        one: Rows of a head and horizon.
        limits: Limits.
        seed: Of resampling.
        heads: How many heads and horizons are judged; intervals hold over the figures of all of them.
    """
    rules = limits.calibration
    found = calibration_figures(
        one.account_id,
        one.label,
        one.probability,
        samples=limits.samples,
        seed=seed,
        comparisons=heads * _CALIBRATION_FIGURES,
    )
    subject = one.key.replace("_", " ")
    gates = []
    for name, figure, allowed in (
        ("observed / expected", found["observed_to_expected"], rules.observed_to_expected),
        ("calibration slope", found["slope"], rules.slope),
        (
            "calibration error",
            found["expected_calibration_error"],
            (0.0, rules.max_expected_calibration_error),
        ),
    ):
        if not np.isfinite([figure.value, figure.low, figure.high]).all():
            gates.append(Gate("calibrated", subject, name, "-", "not measured", "too few test events"))
            continue
        beyond = figure.low > allowed[1] or (allowed[0] > 0 and figure.high < allowed[0])
        limit = f"{allowed[0]:g} to {allowed[1]:g}" if allowed[0] > 0 else f"at most {allowed[1]:g}"
        gates.append(
            Gate("calibrated", subject, f"{name} {shown(figure)}", limit, "refused" if beyond else "passed")
        )
    return gates


def interval_gate(one: JudgedHead, candidate: Candidate, limits: Limits) -> Gate | None:
    """Refuse intervals that hold what was observed of too few groups of test rows; None if the head has none."""
    name, _, horizon = one.key.partition("_")
    head = candidate.bundle.manifest.head(name)
    if head.low_output is None or head.high_output is None or head.interval_level is None:
        return None
    subject, least = one.key.replace("_", " "), limits.intervals.min_group_coverage
    limit = f"at least {least:.0%} of {GROUPS} groups"
    if len(one.label) < GROUPS:
        return Gate("intervals hold", subject, "-", limit, "not measured", "too few test rows")
    column = head.horizons_days.index(int(horizon.removesuffix("d")))
    chunks = list(
        run_in_chunks(
            candidate.bundle.session,
            [head.low_output, head.high_output],
            one.matrix,
            explain=False,
            intervals=True,
        )
    )
    low, high = (
        np.concatenate([np.asarray(part[name], dtype=np.float64)[:, column] for _, part in chunks])
        for name in (head.low_output, head.high_output)
    )
    found = coverage_by_group(
        one.probability,
        low,
        high,
        one.label,
        z=NormalDist().inv_cdf(0.5 + head.interval_level / 2),
        nominal=head.interval_level,
    )
    return Gate(
        "intervals hold",
        subject,
        f"{found.with_sampling:.0%} of {found.groups} groups",
        limit,
        "passed" if found.with_sampling >= least else "refused",
        f"nominal {found.nominal:.0%}; mean width {found.mean_width:.3f}",
    )


def leakage_gate(one: JudgedHead, candidate: Candidate, limits: Limits) -> Gate:
    """Refuse a bundle that reads a feature which alone tells the test events."""
    manifest = candidate.bundle.manifest
    categories = {encoding.feature: len(encoding.categories) for encoding in manifest.encodings}
    columns = [
        Column(feature.name, categories.get(feature.name, 0)) for feature in manifest.contract.model_features
    ]
    search = find_leaks(one.matrix, one.label, columns, limits.leakage)
    best = int(np.argmax(search.auc))
    rules = limits.leakage
    return Gate(
        "not leaking",
        one.key.replace("_", " "),
        ", ".join(leak.sentence for leak in search.leaks)
        or f"best single feature {columns[best].name} (AUC {search.auc[best]:.3f})",
        f"AUC at most {rules.max_single_feature_auc:g}; no value with {rules.rule_min_recall:.0%} of events and "
        f"{rules.rule_max_precision:.0%} precision",
        "refused" if search.leaks else "passed",
    )


def fairness_gates(one: JudgedHead, candidate: Candidate, limits: Limits, *, heads: int) -> list[Gate]:
    """Refuse a bundle that treats a slice surely beyond the limits of the columns that refuse.

    Args:
        one: Rows of a head.
        candidate: Whose head it is.
        limits: Limits.
        heads: How many heads are judged; intervals hold over the gaps of all of them.

    Returns:
        The gate on what could be measured, and one on columns and measures that refuse but could not be.
    """
    manifest = candidate.bundle.manifest
    rows = JudgedRows(
        account_id=one.account_id,
        label=one.label,
        probability=one.probability,
        threshold=one.threshold,
        columns=slice_columns(one.matrix, manifest.contract, manifest.encodings),
    )
    gaps = parity_gaps(rows, limits, samples=limits.samples, seed=candidate.seed, heads=heads)
    beyond = sorted((gap for gap in gaps if gap.verdict == "beyond"), key=lambda gap: -gap.excess)
    refusing = [gap for gap in beyond if gap.refuses]
    few = sum(gap.verdict == "too_few" for gap in gaps)
    rules = limits.fairness
    notes = [
        f"{len(gaps)} gaps, {len(beyond)} beyond limits of which {len(refusing)} refuse, {few} of small slices"
    ]
    if len(refusing) < len(beyond):
        notes.append("shown only: " + _gap_list([gap for gap in beyond if not gap.refuses]))
    subject = one.key.replace("_", " ")
    gates = []
    if gaps:
        measured = Gate(
            "fair",
            subject,
            _gap_list(refusing) or "no gap surely beyond its limit",
            f"selection {rules.selection_ratio[0]:g} to {rules.selection_ratio[1]:g}, recall gap at most "
            f"{rules.max_equal_opportunity_gap:g}, calibration gap at most {rules.max_calibration_gap:g}",
            "refused" if refusing else "passed",
            "; ".join(notes),
        )
        gates.append(measured)
    missing = unmeasured(rows.columns, gaps, limits)
    if not gaps and not missing:
        gates.append(
            Gate("fair", subject, "no two slices to compare", "-", "passed", "all accounts are alike")
        )
    if missing:
        gates.append(
            Gate(
                "fair",
                subject,
                "; ".join(one.sentence for one in missing),
                "every column and measure of fairness.refused_by",
                "not measured",
                _UNMEASURED,
            )
        )
    return gates


def _gap_list(gaps: list[Gap]) -> str:
    shown = [
        f"{gap.measure.replace('_', ' ')} of {gap.column} {gap.slice} {gap.value:.2f} [{gap.low:.2f}, {gap.high:.2f}]"
        for gap in gaps[:_SHOWN_GAPS]
    ]
    return ", ".join(shown) + (f" and {len(gaps) - _SHOWN_GAPS} more" if len(gaps) > _SHOWN_GAPS else "")


def suspicion_gate(candidate: Candidate, judged: dict[str, JudgedHead], limits: Limits) -> Gate:
    """Refuse what is too good to be true, by what the test rows say, else by what the bundle reports."""
    aucs: dict[str, float] = {}
    for head, entry in candidate.bundle.manifest.metrics.get("heads", {}).items():
        for horizon, found in entry.get("horizons", {}).items():
            value = (found["models"]["keepgrow"]["metrics"].get("roc_auc") or {}).get("value")
            if value is not None:
                aucs[f"{head}_{horizon}"] = value
    for key, one in judged.items():
        value = float(metrics.roc_auc(one.label, one.probability)[0])
        if np.isfinite(value):
            aucs[key] = max(value, aucs.get(key, 0.0))
    limit = f"AUC at most {limits.suspicion.max_auc:g} unless explained"
    if not aucs:
        return Gate("not too good", "bundle", "-", limit, "not measured", "no AUC is known")
    key = max(aucs, key=lambda one: aucs[one])
    value = f"largest AUC {aucs[key]:.3f} ({key.replace('_', ' ')})"
    if aucs[key] <= limits.suspicion.max_auc:
        return Gate("not too good", "bundle", value, limit, "passed")
    if candidate.explanation:
        return Gate("not too good", "bundle", value, limit, "explained", candidate.explanation)
    note = "look for a leak; if it is honest, say why with --explain"
    return Gate("not too good", "bundle", value, limit, "refused", note)
