"""Which form of calibration validation prefers: the simplest, unless another is better beyond noise.

Forms are compared by cross-fitted log loss: each fifth of the validation accounts is judged by forms that were fitted
to the other four. What ships is Platt unless this says otherwise, and it says so for every interval in the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.heads.calibration import fit_platt
from training.heads.calibration_forms import (
    Calibration,
    SegmentedPlatt,
    fit_beta,
    fit_isotonic,
    fit_segmented,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

FOLDS = 5
SHIPPED = "platt"
_SAMPLES = 1000
_BOUND = 0.975


@dataclass(frozen=True, slots=True)
class CalibrationRows:
    """Validation rows of one interval; n person-periods.

    Attributes:
        account_id: Shape (n,).
        margin: Shape (n,), raw margins out of sample.
        event: Shape (n,), 0 or 1.
        segment: Shape (n,), segment codes; None if accounts are not divided.
        segments: Number of segments.
    """

    account_id: NDArray[np.object_]
    margin: NDArray[np.float64]
    event: NDArray[np.float64]
    segment: NDArray[np.intp] | None = None
    segments: int = 0


def compare_forms(rows: CalibrationRows, *, seed: int) -> dict[str, Any]:
    """Return the cross-fitted log loss of every form, and the form that validation prefers; JSON-able.

    Args:
        rows: Validation rows.
        seed: Of folds and resamples.

    Returns:
        `events`; `forms`: per form `log_loss` in nats and, beside Platt, `gain` over it with its 95 % interval
        (accounts resampled); `preferred`: the first form, from the simplest on, whose gain is above zero even when
        all forms are given one chance in forty together (Bonferroni), else `platt`.
    """
    _, account = np.unique(rows.account_id.astype(str), return_inverse=True)
    count = int(account.max()) + 1 if len(account) else 0
    found: dict[str, Any] = {"events": int(rows.event.sum()), "forms": {}, "preferred": SHIPPED}
    if count < FOLDS or not 0 < rows.event.sum() < len(rows.event):
        return found
    generator = np.random.default_rng(seed)
    fold = (generator.permutation(count) % FOLDS)[account]
    losses = {name: _cross_fitted(rows, fold, fit) for name, fit in _forms(rows).items()}
    picks = generator.multinomial(count, np.full(count, 1 / count), size=_SAMPLES)
    size = np.bincount(account, minlength=count).astype(np.float64)
    for name, loss in losses.items():
        entry: dict[str, Any] = {"log_loss": round(float(loss.mean()), 6)}
        if name != SHIPPED:
            gain = np.bincount(account, weights=losses[SHIPPED] - loss, minlength=count)
            draws = (picks @ gain) / (picks @ size)
            low, high = np.quantile(draws, [1 - _BOUND, _BOUND])
            sure = float(np.quantile(draws, (1 - _BOUND) / (len(losses) - 1)))
            value = gain.sum() / size.sum()
            entry["gain"] = {
                "value": round(float(value), 6),
                "low": round(float(low), 6),
                "high": round(float(high), 6),
            }
            if sure > 0 and name != "identity" and found["preferred"] == SHIPPED:
                found["preferred"] = name
        found["forms"][name] = entry
    return found


def _forms(rows: CalibrationRows) -> Mapping[str, Callable[[NDArray[np.bool_]], Calibration]]:
    """Return how each form is fitted to the rows of a mask, from the simplest on."""
    margin, event = rows.margin, rows.event
    forms: dict[str, Callable[[NDArray[np.bool_]], Calibration]] = {
        "identity": lambda _: SegmentedPlatt(1.0, 0.0),
        SHIPPED: lambda kept: SegmentedPlatt.of(fit_platt(margin[kept], event[kept])),
    }
    segment, segments = rows.segment, rows.segments
    if segment is not None:
        forms["platt_by_segment"] = lambda kept: fit_segmented(
            margin[kept], event[kept], segment[kept], segments
        )
    forms["beta"] = lambda kept: fit_beta(margin[kept], event[kept])
    forms["isotonic"] = lambda kept: fit_isotonic(margin[kept], event[kept])
    return forms


def _cross_fitted(
    rows: CalibrationRows, fold: NDArray[np.intp], fit: Callable[[NDArray[np.bool_]], Calibration]
) -> NDArray[np.float64]:
    """Return the log loss of each row under the form fitted without its fold, shape (n,)."""
    loss = np.empty(len(rows.margin))
    for number in range(FOLDS):
        out = fold == number
        form = fit(~out)
        margin = form.apply(rows.margin[out], None if rows.segment is None else rows.segment[out])
        loss[out] = np.logaddexp(0.0, np.where(rows.event[out] > 0, -margin, margin))
    return loss
