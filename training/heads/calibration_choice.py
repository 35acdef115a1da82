"""Which form of calibration validation prefers, and which ships: the simplest, unless another is better beyond noise.

Forms are compared by cross-fitted log loss: each fifth of the validation accounts is judged by forms that were fitted
to the other four. Platt and Platt with an intercept a segment can ship; both are affine in the margin within a segment,
so that intervals and reasons, which are sums over trees, stay what they are. Beta and isotonic calibration bend the
margin and are compared only; what leaving them out costs is told beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from training.heads.calibration import fit_platt
from training.heads.calibration_forms import Calibration, fit_beta, fit_isotonic, fit_segmented
from training.heads.hazard import Platt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

FOLDS = 5
SIMPLEST: Literal["platt"] = "platt"
BY_SEGMENT: Literal["platt_by_segment"] = "platt_by_segment"
CAN_SHIP = (SIMPLEST, BY_SEGMENT)
_SAMPLES = 1000
_BOUND = 0.975


@dataclass(frozen=True, slots=True)
class SegmentColumn:
    """Where the matrix holds an account's segment.

    Attributes:
        position: Column; its values are codes from 0 on, NaN where the segment is not known.
        count: Number of segments.
    """

    position: int
    count: int


@dataclass(frozen=True, slots=True)
class CalibrationRows:
    """Validation rows of one interval; n person-periods.

    Attributes:
        account_id: Shape (n,).
        margin: Shape (n,), raw margins out of sample.
        event: Shape (n,), 0 or 1.
        segment: Shape (n,), segment codes, missing as NaN or -1; None if accounts are not divided.
        segments: Number of segments.
    """

    account_id: NDArray[Any]
    margin: NDArray[np.float64]
    event: NDArray[np.float64]
    segment: NDArray[Any] | None = None
    segments: int = 0


def choose_calibration(rows: CalibrationRows, *, seed: int) -> tuple[Platt, dict[str, Any]]:
    """Return the calibration that ships, fitted to all of *rows*, and what `compare_forms` tells.

    Args:
        rows: Validation rows.
        seed: Of folds and resamples.
    """
    told = compare_forms(rows, seed=seed)
    if told["shipped"] == BY_SEGMENT and rows.segment is not None:
        return fit_segmented(rows.margin, rows.event, rows.segment, rows.segments), told
    return fit_platt(rows.margin, rows.event), told


def compare_forms(rows: CalibrationRows, *, seed: int) -> dict[str, Any]:
    """Return the cross-fitted log loss of every form, the form that validation prefers, and the one to ship; JSON-able.

    Args:
        rows: Validation rows.
        seed: Of folds and resamples.

    Returns:
        `events`; `forms`: per form `log_loss` in nats and, beside Platt, `gain` over it with its 95 % interval
        (accounts resampled); `preferred`: the first form, from the simplest on, whose gain is above zero even when
        all forms are given one chance in forty together (Bonferroni), else `platt`; `shipped`: the same among those
        that can ship; `forgone`: the gain of the preferred form over the shipped one with its interval, None if they
        are the same.
    """
    _, account = np.unique(rows.account_id.astype(str), return_inverse=True)
    count = int(account.max()) + 1 if len(account) else 0
    found: dict[str, Any] = {
        "events": int(rows.event.sum()),
        "forms": {},
        "preferred": SIMPLEST,
        "shipped": SIMPLEST,
        "forgone": None,
    }
    if count < FOLDS or not 0 < rows.event.sum() < len(rows.event):
        return found
    generator = np.random.default_rng(seed)
    fold = (generator.permutation(count) % FOLDS)[account]
    losses = {name: _cross_fitted(rows, fold, fit) for name, fit in _forms(rows).items()}
    picks = generator.multinomial(count, np.full(count, 1 / count), size=_SAMPLES)
    size = np.bincount(account, minlength=count).astype(np.float64)

    def gains(name: str, over: str) -> tuple[dict[str, float], NDArray[np.float64]]:
        gain = np.bincount(account, weights=losses[over] - losses[name], minlength=count)
        draws = (picks @ gain) / (picks @ size)
        low, high = np.quantile(draws, [1 - _BOUND, _BOUND])
        value = gain.sum() / size.sum()
        told = {"value": round(float(value), 6), "low": round(float(low), 6), "high": round(float(high), 6)}
        return told, draws

    better = []
    for name, loss in losses.items():
        entry: dict[str, Any] = {"log_loss": round(float(loss.mean()), 6)}
        if name != SIMPLEST:
            entry["gain"], draws = gains(name, SIMPLEST)
            if float(np.quantile(draws, (1 - _BOUND) / (len(losses) - 1))) > 0 and name != "identity":
                better.append(name)
        found["forms"][name] = entry
    found["preferred"] = next(iter(better), SIMPLEST)
    found["shipped"] = next((name for name in better if name in CAN_SHIP), SIMPLEST)
    if found["preferred"] != found["shipped"]:
        found["forgone"], _ = gains(found["preferred"], found["shipped"])
    return found


def _forms(rows: CalibrationRows) -> Mapping[str, Callable[[NDArray[np.bool_]], Calibration]]:
    """Return how each form is fitted to the rows of a mask, from the simplest on."""
    margin, event = rows.margin, rows.event
    forms: dict[str, Callable[[NDArray[np.bool_]], Calibration]] = {
        "identity": lambda _: Platt(1.0, 0.0),
        SIMPLEST: lambda kept: fit_platt(margin[kept], event[kept]),
    }
    segment, segments = rows.segment, rows.segments
    if segment is not None:
        forms[BY_SEGMENT] = lambda kept: fit_segmented(margin[kept], event[kept], segment[kept], segments)
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
        log_odds = form.log_odds(rows.margin[out], None if rows.segment is None else rows.segment[out])
        loss[out] = np.logaddexp(0.0, np.where(rows.event[out] > 0, -log_odds, log_odds))
    return loss
