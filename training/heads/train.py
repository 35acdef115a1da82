"""Trains one head: chooses a booster configuration and its shape on validation, calibrates, refits.

Two shapes compete. `separate` trains a booster for each interval. `pooled` trains one booster on the person-periods of all
intervals, which then differ by calibration alone: with few events, sharing them beats modelling each interval apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from training.heads import boosting
from training.heads.calibration import fit_platt, refit_intercept
from training.heads.hazard import HazardHead, Platt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.definitions import BoosterConfiguration, Definitions, HeadName
    from training.labels import Intervals

Shape = Literal["separate", "pooled"]
MIN_EVENTS_PER_INTERVAL = 15


@dataclass(frozen=True, slots=True)
class HeadRows:
    """Feature rows of one part with the intervals of one head; n rows, k intervals."""

    matrix: NDArray[np.float64]
    intervals: Intervals

    def periods(self, interval: int | None = None) -> boosting.PersonPeriods:
        """Return the person-periods of one interval, or of all if None."""
        columns = slice(None) if interval is None else slice(interval, interval + 1)
        spans = self.intervals
        return boosting.PersonPeriods.of(
            spans.at_risk[:, columns], spans.event[:, columns], spans.observed[:, columns]
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration in one shape, fitted on the training part.

    Attributes:
        configuration: What it was trained with.
        shape: How intervals share boosters.
        boosters: One an interval; the same object for all if pooled.
        calibrations: One an interval, fitted on validation.
        log_loss: Mean log loss over the person-periods of validation, calibrated.
    """

    configuration: BoosterConfiguration
    shape: Shape
    boosters: tuple[lgb.Booster, ...]
    calibrations: tuple[Platt, ...]
    log_loss: float

    def as_dict(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        return {
            "configuration": self.configuration.name,
            "shape": self.shape,
            "rounds": [booster.num_trees() for booster in self.boosters],
            "validation_log_loss": round(self.log_loss, 6),
        }


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """A head, the same head before it was refitted, and how it was chosen.

    Attributes:
        head: What goes into the bundle.
        on_train: Fitted on the training part alone, so that validation rows are out of sample for it.
        choice: All candidates with their validation log loss, and the one chosen; for the manifest.
    """

    head: HazardHead
    on_train: HazardHead
    choice: dict[str, Any]


def train_head(
    name: HeadName,
    train: HeadRows,
    validation: HeadRows,
    refit: HeadRows | None,
    *,
    definitions: Definitions,
    feature_names: Sequence[str],
    seed: int,
    num_threads: int,
    progress: Callable[[str], None],
) -> TrainedHead:
    """Train the head *name*.

    Args:
        name: Head name.
        train: Rows to fit while choosing.
        validation: Later rows for early stopping, choice and calibration.
        refit: Rows for the final boosters, or None to keep those of the training part.
        definitions: Horizons, configurations and rounds.
        feature_names: Columns of the matrices.
        seed: Seed of sampling in LightGBM.
        num_threads: Threads of LightGBM; the result does not depend on it.
        progress: Called with a sentence a step.
    """
    candidates: list[Candidate] = []
    for shape in _shapes(train, validation):
        data = _datasets(shape, train, validation, feature_names)
        for configuration in definitions.model.configurations:
            params = boosting.parameters(configuration, seed=seed, num_threads=num_threads)
            fitted = [
                boosting.fit_with_early_stopping(
                    fit,
                    check,
                    params,
                    max_rounds=definitions.model.max_rounds,
                    patience=definitions.model.early_stopping_rounds,
                )
                for fit, check in data
            ]
            candidates.append(_candidate(configuration, shape, fitted, validation))
            progress(
                f"{name}: {configuration.name}, {shape}: validation log loss {candidates[-1].log_loss:.5f}"
            )
    best = min(candidates, key=lambda candidate: candidate.log_loss)
    on_train = HazardHead(name, definitions.horizons_days, best.boosters, best.calibrations)
    head = on_train
    if refit is not None:
        progress(f"{name}: refit of {best.configuration.name}, {best.shape}, on {len(refit.matrix)} rows")
        params = boosting.parameters(best.configuration, seed=seed, num_threads=num_threads)
        head = _refit(on_train, best.shape, refit, validation, params, feature_names)
    choice = {
        "chosen": best.as_dict(),
        "candidates": [candidate.as_dict() for candidate in candidates],
        "refitted": refit is not None,
        "calibration": [{"slope": platt.slope, "intercept": platt.intercept} for platt in head.calibrations],
    }
    return TrainedHead(head=head, on_train=on_train, choice=choice)


def _shapes(train: HeadRows, validation: HeadRows) -> tuple[Shape, ...]:
    count = train.intervals.event.shape[1]
    fewest = min(
        min(train.periods(interval).events, 3 * validation.periods(interval).events)
        for interval in range(count)
    )
    return ("pooled", "separate") if fewest >= MIN_EVENTS_PER_INTERVAL and count > 1 else ("pooled",)


def _datasets(
    shape: Shape, train: HeadRows, validation: HeadRows, feature_names: Sequence[str]
) -> list[tuple[lgb.Dataset, lgb.Dataset]]:
    count = train.intervals.event.shape[1]
    spans: list[int | None] = [None] if shape == "pooled" else list(range(count))
    pairs = []
    for span in spans:
        fit = boosting.dataset(train.matrix, train.periods(span), feature_names)
        pairs.append(
            (fit, boosting.dataset(validation.matrix, validation.periods(span), feature_names, reference=fit))
        )
    return pairs


def _candidate(
    configuration: BoosterConfiguration, shape: Shape, fitted: list[lgb.Booster], validation: HeadRows
) -> Candidate:
    count = validation.intervals.event.shape[1]
    boosters = tuple(fitted * count) if shape == "pooled" else tuple(fitted)
    margins = _margins(boosters, validation.matrix)
    calibrations, total, rows = [], 0.0, 0
    for interval, margin in enumerate(margins):
        periods = validation.periods(interval)
        platt = fit_platt(margin[periods.rows], periods.event)
        calibrations.append(platt)
        signed = np.where(periods.event > 0, 1.0, -1.0) * (
            platt.slope * margin[periods.rows] + platt.intercept
        )
        total += float(np.logaddexp(0.0, -signed).sum())
        rows += len(periods.rows)
    return Candidate(configuration, shape, boosters, tuple(calibrations), total / max(1, rows))


def _refit(
    head: HazardHead,
    shape: Shape,
    refit: HeadRows,
    validation: HeadRows,
    params: dict[str, Any],
    feature_names: Sequence[str],
) -> HazardHead:
    count = len(head.boosters)
    spans: list[int | None] = [None] if shape == "pooled" else list(range(count))
    fitted = [
        boosting.fit_rounds(
            boosting.dataset(refit.matrix, refit.periods(span), feature_names),
            params,
            head.boosters[span or 0].num_trees(),
        )
        for span in spans
    ]
    boosters = tuple(fitted * count) if shape == "pooled" else tuple(fitted)
    calibrations = []
    for interval, margin in enumerate(_margins(boosters, validation.matrix)):
        periods = validation.periods(interval)
        calibrations.append(refit_intercept(head.calibrations[interval], margin[periods.rows], periods.event))
    return HazardHead(head.name, head.horizons_days, boosters, tuple(calibrations))


def _margins(boosters: tuple[lgb.Booster, ...], matrix: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return raw margins per booster; a booster that several intervals share is asked once."""
    known: dict[int, NDArray[np.float64]] = {}
    for booster in boosters:
        if id(booster) not in known:
            known[id(booster)] = np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64)
    return [known[id(booster)] for booster in boosters]
