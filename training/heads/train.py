"""Trains one head: chooses a booster configuration on validation, calibrates, refits.

A booster is first fitted to the person-periods of all intervals together, then continued for each interval as far
as validation says that this helps. With few events the intervals share almost everything; with many, each goes its
own way. (On ChurnSim, in rolling cutoffs before its test, this ranked upsell better than one booster for all
intervals and than one for each, and churn no worse.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from training.heads import boosting
from training.heads.calibration import calibrated_log_loss, fit_platt, refit_intercept
from training.heads.hazard import HazardHead, Platt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.definitions import BoosterConfiguration, Definitions, HeadName
    from training.labels import Intervals


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

    def booster_rows(self, feature_names: Sequence[str], interval: int | None = None) -> boosting.BoosterRows:
        """Return the rows that a booster of one interval, or of all if None, is fitted to."""
        return boosting.BoosterRows(self.matrix, self.periods(interval), feature_names)

    @property
    def count(self) -> int:
        """Number of intervals."""
        return int(self.intervals.event.shape[1])


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration, fitted on the training part.

    Attributes:
        configuration: What it was trained with.
        shared_rounds: Rounds of the booster that all intervals start from.
        boosters: One an interval, the shared rounds first; the same object where an interval adds none.
        calibrations: One an interval, fitted on validation.
        log_loss: Mean log loss over the person-periods of validation, calibrated.
    """

    configuration: BoosterConfiguration
    shared_rounds: int
    boosters: tuple[lgb.Booster, ...]
    calibrations: tuple[Platt, ...]
    log_loss: float

    def as_dict(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        return {
            "configuration": self.configuration.name,
            "shared_rounds": self.shared_rounds,
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
    for configuration in definitions.model.configurations:
        params = boosting.parameters(configuration, seed=seed, num_threads=num_threads)
        candidates.append(_candidate(configuration, params, train, validation, definitions, feature_names))
        progress(f"{name}: {configuration.name}: validation log loss {candidates[-1].log_loss:.5f}")
    best = min(candidates, key=lambda candidate: candidate.log_loss)
    on_train = HazardHead(name, definitions.horizons_days, best.boosters, best.calibrations)
    head = on_train
    if refit is not None:
        progress(f"{name}: final fit of {best.configuration.name} on {len(refit.matrix)} rows")
        params = boosting.parameters(best.configuration, seed=seed, num_threads=num_threads)
        boosters = _refitted(best, params, refit, feature_names)
        head = HazardHead(
            name, definitions.horizons_days, boosters, _recalibrated(best, boosters, validation)
        )
    choice = {
        "chosen": best.as_dict(),
        "candidates": [candidate.as_dict() for candidate in candidates],
        "refitted": refit is not None,
        "calibration": [{"slope": platt.slope, "intercept": platt.intercept} for platt in head.calibrations],
    }
    return TrainedHead(head=head, on_train=on_train, choice=choice)


def _candidate(
    configuration: BoosterConfiguration,
    params: dict[str, Any],
    train: HeadRows,
    validation: HeadRows,
    definitions: Definitions,
    names: Sequence[str],
) -> Candidate:
    model = definitions.model
    shared = boosting.fit_with_early_stopping(
        train.booster_rows(names),
        validation.booster_rows(names),
        params,
        max_rounds=model.max_shared_rounds,
        patience=model.early_stopping_rounds,
    )
    boosters = tuple(
        boosting.fit_with_early_stopping(
            train.booster_rows(names, interval),
            validation.booster_rows(names, interval),
            params,
            max_rounds=model.max_interval_rounds,
            patience=model.early_stopping_rounds,
            base=shared,
        )
        if _can_continue(train, validation, interval, definitions)
        else shared
        for interval in range(train.count)
    )
    calibrations, total, weight = [], 0.0, 0.0
    for interval, margin in enumerate(_margins(boosters, validation.matrix)):
        periods = validation.periods(interval)
        calibrations.append(fit_platt(margin[periods.rows], periods.event))
        if len(periods.rows):
            total += len(periods.rows) * calibrated_log_loss(margin[periods.rows], periods.event)
            weight += len(periods.rows)
    return Candidate(
        configuration, shared.num_trees(), boosters, tuple(calibrations), total / max(1.0, weight)
    )


def _can_continue(train: HeadRows, validation: HeadRows, interval: int, definitions: Definitions) -> bool:
    least = definitions.model.min_interval_events
    return train.periods(interval).events >= least and validation.periods(interval).events >= least


def _refitted(
    best: Candidate, params: dict[str, Any], refit: HeadRows, names: Sequence[str]
) -> tuple[lgb.Booster, ...]:
    shared = boosting.fit_rounds(refit.booster_rows(names), params, best.shared_rounds)
    return tuple(
        boosting.fit_rounds(refit.booster_rows(names, interval), params, booster.num_trees(), base=shared)
        for interval, booster in enumerate(best.boosters)
    )


def _recalibrated(
    best: Candidate, boosters: tuple[lgb.Booster, ...], validation: HeadRows
) -> tuple[Platt, ...]:
    """Keep the slopes, which were fitted out of sample; fit the intercepts of the new boosters to recent rates."""
    found = []
    for interval, margin in enumerate(_margins(boosters, validation.matrix)):
        periods = validation.periods(interval)
        found.append(refit_intercept(best.calibrations[interval], margin[periods.rows], periods.event))
    return tuple(found)


def _margins(boosters: tuple[lgb.Booster, ...], matrix: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return raw margins per booster; a booster that several intervals share is asked once."""
    known: dict[int, NDArray[np.float64]] = {}
    for booster in boosters:
        if id(booster) not in known:
            known[id(booster)] = np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64)
    return [known[id(booster)] for booster in boosters]
