"""Trains one head: boosts in stages under validation's eye, calibrates as it prefers, and fits once more on all rows.

Boosting begins with the person-periods of all intervals together and goes on for each interval alone; both go
through the same stages, main effects before interactions. A stage lasts as long as validation gains from it, and
one that does not help is left out. So a head with few events stays a sum of curves that its intervals share, and one
with many becomes what it must. (In rolling cutoffs before the test of ChurnSim, main effects alone ranked churn best
and interactions upsell best, and shared trees before an interval's own did better than either by itself.)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from training.heads import boosting
from training.heads.calibration import calibrated_log_loss, fit_platt, refit_intercept
from training.heads.calibration_choice import CalibrationRows, choose_calibration
from training.heads.hazard import HazardHead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.definitions import Definitions, HeadName
    from training.heads.calibration_choice import SegmentColumn
    from training.heads.hazard import Platt
    from training.labels import Intervals


@dataclass(frozen=True, slots=True)
class HeadRows:
    """Feature rows of one part with the intervals of one head; n rows, k intervals.

    Attributes:
        matrix: Shape (n, f).
        intervals: Of the n rows.
        account_id: Shape (n,); None takes each row for an account of its own.
    """

    matrix: NDArray[np.float64]
    intervals: Intervals
    account_id: NDArray[np.object_] | None = None

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
class Rounds:
    """How many trees each stage has.

    Attributes:
        shared: Per stage, trees that all intervals share.
        own: Per interval and stage, trees of the interval's own.
    """

    shared: tuple[int, ...]
    own: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """A head, the same head before it was refitted, and how it came about.

    Attributes:
        head: What goes into the bundle.
        on_train: Fitted on the training part alone, so that validation rows are out of sample for it.
        choice: Trees per stage, validation log loss and calibration; for the manifest.
        forms: Per horizon (`90d`), how forms of calibration compare on validation for the interval that ends there, as
            `training.heads.calibration_choice.compare_forms` tells; empty if Platt was not put in question.
    """

    head: HazardHead
    on_train: HazardHead
    choice: dict[str, Any]
    forms: dict[str, Any] = field(default_factory=dict)


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
    segments: SegmentColumn | None = None,
    compare_calibrations: bool = False,
) -> TrainedHead:
    """Train the head *name*.

    Args:
        name: Head name.
        train: Rows to fit while choosing.
        validation: Later rows for early stopping and calibration.
        refit: Rows for the final boosters, or None to keep those of the training part.
        definitions: Horizons and boosting stages.
        feature_names: Columns of the matrices.
        seed: Seed of sampling in LightGBM.
        num_threads: Threads of LightGBM; the result does not depend on it.
        progress: Called with a sentence a step.
        segments: Segments that may get an intercept of their own.
        compare_calibrations: Ship the form of calibration that validation prefers among those that can ship, instead of
            Platt whatever validation says.
    """
    stages = definitions.model.stages
    params = [boosting.parameters(stage, seed=seed, num_threads=num_threads) for stage in stages]
    boosters, rounds = _grown(train, validation, definitions, params, feature_names)
    if compare_calibrations:
        calibrations, forms = _chosen(boosters, validation, definitions.horizons_days, segments, seed)
    else:
        calibrations, forms = _platts(boosters, validation), {}
    loss = _loss(boosters, validation)
    column = segments.position if segments is not None and any(one.offsets for one in calibrations) else None
    on_train = HazardHead(name, definitions.horizons_days, boosters, calibrations, column)
    progress(
        f"{name}: {len(train.matrix)} rows, {boosters[-1].num_trees()} trees, validation log loss {loss:.5f}"
    )
    head = on_train
    if refit is not None:
        progress(f"{name}: final fit on {len(refit.matrix)} rows")
        final = _regrown(refit, rounds, params, feature_names)
        head = replace(
            on_train, boosters=final, calibrations=_recalibrated(calibrations, final, validation, column)
        )
    choice = {
        "validation_log_loss": round(loss, 6),
        "shared_rounds": dict(zip((stage.name for stage in stages), rounds.shared, strict=True)),
        "interval_rounds": [
            dict(zip((stage.name for stage in stages), own, strict=True)) for own in rounds.own
        ],
        "refitted": refit is not None,
        "calibration": [
            {"slope": platt.slope, "intercept": platt.intercept}
            | ({"offsets": list(platt.offsets)} if platt.offsets else {})
            for platt in head.calibrations
        ],
    }
    return TrainedHead(head=head, on_train=on_train, choice=choice, forms=forms)


def _grown(
    train: HeadRows,
    validation: HeadRows,
    definitions: Definitions,
    params: list[dict[str, Any]],
    names: Sequence[str],
) -> tuple[tuple[lgb.Booster, ...], Rounds]:
    """Boost through all stages, shared and then per interval, stopped by validation."""
    model = definitions.model
    shared, shared_rounds = _through_stages(
        train.booster_rows(names),
        validation.booster_rows(names),
        params,
        [stage.max_rounds for stage in model.stages],
        model.early_stopping_rounds,
        None,
    )
    boosters, own = [], []
    for interval in range(train.count):
        known = min(train.periods(interval).events, validation.periods(interval).events)
        limits = [
            stage.max_interval_rounds if known >= model.min_interval_events else 0 for stage in model.stages
        ]
        booster, rounds = _through_stages(
            train.booster_rows(names, interval),
            validation.booster_rows(names, interval),
            params,
            limits,
            model.early_stopping_rounds,
            shared,
        )
        boosters.append(booster)
        own.append(rounds)
    return tuple(boosters), Rounds(shared_rounds, tuple(own))


def _through_stages(
    train: boosting.BoosterRows,
    validation: boosting.BoosterRows,
    params: list[dict[str, Any]],
    limits: list[int],
    patience: int,
    base: lgb.Booster | None,
) -> tuple[lgb.Booster, tuple[int, ...]]:
    rounds = []
    for stage_params, limit in zip(params, limits, strict=True):
        held = base.num_trees() if base is not None else 0
        if limit:
            base = boosting.fit_with_early_stopping(
                train, validation, stage_params, max_rounds=limit, patience=patience, base=base
            )
        rounds.append((base.num_trees() if base is not None else 0) - held)
    if base is None:
        raise ValueError("the first stage must allow at least one round")
    return base, tuple(rounds)


def _regrown(
    rows: HeadRows, rounds: Rounds, params: list[dict[str, Any]], names: Sequence[str]
) -> tuple[lgb.Booster, ...]:
    """Boost *rows* with as many trees per stage as were chosen."""
    shared: lgb.Booster | None = None
    for stage_params, count in zip(params, rounds.shared, strict=True):
        shared = boosting.fit_rounds(rows.booster_rows(names), stage_params, count, shared)
    boosters = []
    for interval, own in enumerate(rounds.own):
        booster = shared
        for stage_params, count in zip(params, own, strict=True):
            booster = boosting.fit_rounds(rows.booster_rows(names, interval), stage_params, count, booster)
        boosters.append(booster)
    return tuple(booster for booster in boosters if booster is not None)


def _platts(boosters: tuple[lgb.Booster, ...], rows: HeadRows) -> tuple[Platt, ...]:
    """Return Platt's calibration of each interval."""
    found = []
    for interval, margin in enumerate(_margins(boosters, rows.matrix)):
        periods = rows.periods(interval)
        found.append(fit_platt(margin[periods.rows], periods.event))
    return tuple(found)


def _chosen(
    boosters: tuple[lgb.Booster, ...],
    rows: HeadRows,
    horizons_days: Sequence[int],
    segments: SegmentColumn | None,
    seed: int,
) -> tuple[tuple[Platt, ...], dict[str, Any]]:
    """Return the calibration of each interval that *rows* prefer, and how the forms compare, by horizon."""
    calibrations, forms = [], {}
    account_id: NDArray[Any] = np.arange(len(rows.matrix)) if rows.account_id is None else rows.account_id
    for interval, margin in enumerate(_margins(boosters, rows.matrix)):
        periods = rows.periods(interval)
        lived = CalibrationRows(
            account_id=account_id[periods.rows],
            margin=margin[periods.rows],
            event=periods.event,
            segment=None if segments is None else rows.matrix[periods.rows, segments.position],
            segments=0 if segments is None else segments.count,
        )
        calibration, forms[f"{horizons_days[interval]}d"] = choose_calibration(lived, seed=seed)
        calibrations.append(calibration)
    return tuple(calibrations), forms


def _loss(boosters: tuple[lgb.Booster, ...], rows: HeadRows) -> float:
    """Return the mean log loss over all person-periods after Platt's calibration on them, by which trees are tuned."""
    total, count = 0.0, 0
    for interval, margin in enumerate(_margins(boosters, rows.matrix)):
        periods = rows.periods(interval)
        if len(periods.rows):
            total += len(periods.rows) * calibrated_log_loss(margin[periods.rows], periods.event)
            count += len(periods.rows)
    return total / max(1, count)


def _recalibrated(
    before: tuple[Platt, ...], boosters: tuple[lgb.Booster, ...], rows: HeadRows, column: int | None
) -> tuple[Platt, ...]:
    """Keep slopes and offsets, which were fitted out of sample; fit the new boosters' intercepts to recent rates."""
    found = []
    for interval, margin in enumerate(_margins(boosters, rows.matrix)):
        periods = rows.periods(interval)
        segment = None if column is None else rows.matrix[periods.rows, column]
        found.append(refit_intercept(before[interval], margin[periods.rows], periods.event, segment=segment))
    return tuple(found)


def _margins(boosters: tuple[lgb.Booster, ...], matrix: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return raw margins per booster; a booster that several intervals share is asked once."""
    known: dict[int, NDArray[np.float64]] = {}
    for booster in boosters:
        if id(booster) not in known:
            known[id(booster)] = np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64)
    return [known[id(booster)] for booster in boosters]
