"""Thresholds per segment: a segment's own where validation has enough of its events, else the overall one.

On test rows they are judged beside the overall threshold, segment by segment and all together, so that one sees
whether they are worth having. What is shipped is the overall threshold: nothing in serving flags by segment, and one
probability means the same in every segment as long as the head is calibrated there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from training.evaluation.flagging import flagging
from training.evaluation.reliability import calibration_error, equal_count_bins
from training.evaluation.thresholds import Stakes, Threshold, choose_threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap
    from training.threshold_definitions import ThresholdPolicy

_FEW_BINS = 5


@dataclass(frozen=True, slots=True)
class SegmentThreshold:
    """The threshold of one segment.

    Attributes:
        segment: Its name.
        threshold: The threshold that holds for it.
        source: `own` if it was chosen on the segment's validation rows, `overall` if those hold too few events, or too
            few to tell any list from one drawn by lot.
    """

    segment: str
    threshold: Threshold
    source: Literal["own", "overall"]


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """The segments of n rows.

    Attributes:
        feature: The feature whose categories they are.
        names: Name of each segment.
        code: Shape (n,): position in `names`, or -1 where it is not known.
    """

    feature: str
    names: tuple[str, ...]
    code: NDArray[np.intp]


def choose_segment_thresholds(
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
    segments: SegmentRows,
    policy: ThresholdPolicy,
    *,
    overall: Threshold,
    stakes: Stakes | None = None,
    account_id: NDArray[np.object_] | None = None,
) -> tuple[SegmentThreshold, ...]:
    """Choose a threshold a segment on validation rows, by the policy's own mode.

    Args:
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        segments: Of the n rows.
        policy: Mode, targets and the fewest events of a segment.
        overall: What holds where a segment has too few events, or reaches nothing by itself.
        stakes: What flagging costs and brings.
        account_id: Shape (n,): whose rows they are; see `choose_threshold`.
    """
    found = []
    for code, name in enumerate(segments.names):
        here = segments.code == code
        own: Threshold | None = None
        if label[here].sum() >= policy.min_segment_events:
            part = None if stakes is None else Stakes(stakes.benefit[here], stakes.cost)
            own = choose_threshold(
                label[here],
                probability[here],
                policy,
                stakes=part,
                account_id=None if account_id is None else account_id[here],
            )
            if own.rule == "none" and policy.mode != "value":  # by value, that nothing pays is a finding
                own = None
        found.append(SegmentThreshold(name, own or overall, "own" if own else "overall"))
    return tuple(found)


def segment_report(
    bootstrap: AccountBootstrap,
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
    segments: SegmentRows,
    thresholds: tuple[SegmentThreshold, ...],
    *,
    overall: Threshold,
    policy: ThresholdPolicy,
    mrr: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Return what segments and their thresholds come to on test rows; JSON-able.

    Returns:
        `feature`; `segments`: per name `rows`, `accounts`, `events`, `few_events`, `threshold`, `source`, `overall`
        (figures of flagging by the overall threshold, which is shipped; wide where events are few, absent without
        rows), `own` (by the segment's own, if it has one), and where there are enough events `calibration_ratio` (mean
        probability over event rate) and the calibration errors; `all_rows`: figures over all rows with each segment's
        threshold.
    """
    limit = np.full(len(label), overall.value)
    entries: dict[str, Any] = {}
    for code, one in enumerate(thresholds):
        here = segments.code == code
        limit[here] = one.threshold.value
        events = int(label[here].sum())
        entry: dict[str, Any] = {
            "rows": int(here.sum()),
            "accounts": bootstrap.accounts(here),
            "events": events,
            "few_events": events < policy.min_segment_events,
            "threshold": one.threshold.value,
            "rule": one.threshold.rule,
            "source": one.source,
        }
        if here.any():
            entry["overall"] = _flags(bootstrap, label, probability >= overall.value, mrr, here)
            if one.source == "own":
                entry["own"] = _flags(bootstrap, label, probability >= one.threshold.value, mrr, here)
        if not entry["few_events"]:
            entry |= _calibration(bootstrap, label, probability, here)
        entries[one.segment] = entry
    return {
        "feature": segments.feature,
        "segments": entries,
        "all_rows": _flags(bootstrap, label, probability >= limit, mrr, None),
    }


def _flags(
    bootstrap: AccountBootstrap,
    label: NDArray[np.float64],
    flagged: NDArray[np.bool_],
    mrr: NDArray[np.float64] | None,
    among: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    found = flagging(bootstrap, label, flagged, mrr=mrr, among=among)
    return {name: figure.as_dict() for name, figure in found.items()}


def _calibration(
    bootstrap: AccountBootstrap,
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
    here: NDArray[np.bool_],
) -> dict[str, Any]:
    inside = here.astype(np.float64)
    predicted, events = bootstrap.sums(np.column_stack([inside * probability, inside * label])).T
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(events > 0, predicted / events, np.nan)
    own = bootstrap.only(here)
    bins = equal_count_bins(probability[here], _FEW_BINS)
    errors = calibration_error(own, label[here], probability[here], bins)
    return {
        "calibration_ratio": bootstrap.summarise(ratio).as_dict(),
        **{name: figure.as_dict() for name, figure in errors.items()},
    }
