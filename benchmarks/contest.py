"""Keepgrow's trainer against logistic regression and tuned boosting libraries on one table, by cross-validation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.cross_validation import HeldOut, cross_validate
from benchmarks.packages import MissingYardstickError, package, versions
from benchmarks.result import Figure, Line
from benchmarks.shipped_trainer import definitions, shipped_trainer
from benchmarks.tuned import LIBRARIES, logistic, tuned

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.cross_validation import Metric, Model
    from benchmarks.plan import Plan, Run
    from benchmarks.result import Kind
    from benchmarks.tables import Table

FOLDS = 5
OURS = "Keepgrow's trainer"
STUMPS = "ours, main effects only"
LOGISTIC = "logistic regression"
BOOTSTRAP_SEED = 0


def ours(train: Table, test: Table, seed: int) -> NDArray[np.float64]:
    """Score *test* by the trainer as shipped."""
    return shipped_trainer(train, test, seed=seed)


def main_effects(train: Table, test: Table, seed: int) -> NDArray[np.float64]:
    """Score *test* by the trainer with its first stage alone."""
    shipped = definitions()
    first = shipped.model.model_copy(update={"stages": shipped.model.stages[:1]})
    return shipped_trainer(train, test, seed=seed, chosen=shipped.model_copy(update={"model": first}))


def by_logistic(train: Table, test: Table, seed: int) -> NDArray[np.float64]:
    """Score *test* by logistic regression."""
    return logistic(train, test, seed=seed)


def by_library(name: str, trials: int, train: Table, test: Table, seed: int) -> NDArray[np.float64]:
    """Score *test* by the tuned library *name*."""
    return tuned(LIBRARIES[name][1], train, test, trials=trials, seed=seed)


def contestants(plan: Plan) -> tuple[dict[str, tuple[Kind, str, Model]], list[str]]:
    """Return the models by name, each with its kind and a note, and a sentence for each that can't take part."""
    found: dict[str, tuple[Kind, str, Model]] = {
        OURS: ("ours", "as shipped, nothing tuned to this data", ours),
        STUMPS: ("ablation", "its second stage, interactions, left out", main_effects),
        LOGISTIC: ("baseline", "penalty chosen inside the training folds", by_logistic),
    }
    missing = []
    for name, (module, _) in LIBRARIES.items():
        try:
            package("optuna")
            package(module)
        except MissingYardstickError as error:
            missing.append(f"{name}: {error}")
            continue
        note = f"Optuna, {plan.trials} trials inside each training part"
        found[f"{name}, tuned"] = ("yardstick", note, partial(by_library, name, plan.trials))
    return found, missing


def contest(table: Table, metrics: Mapping[str, Metric], plan: Plan) -> tuple[list[Line], list[str]]:
    """Return a line a model with every metric, the first leading, and a sentence for each model left out.

    Args:
        table: All labelled rows.
        metrics: By key: functions of label, score and row weights.
        plan: Seeds, trials, resamples.
    """
    models, missing = contestants(plan)
    held_out = cross_validate(
        table, {name: model for name, (_, _, model) in models.items()}, folds=FOLDS, seeds=plan.seeds
    )
    return [
        line(held_out, name, kind, note, metrics, plan) for name, (kind, note, _) in models.items()
    ], missing


def folds_sentence(plan: Plan) -> str:
    """Return how the rows of a contest are split."""
    return (
        f"Stratified {FOLDS}-fold cross-validation, repeated with the seeds {', '.join(map(str, plan.seeds))}; "
        "means over folds and repeats."
    )


def circumstances(run: Run, seconds: float) -> dict[str, Any]:
    """Return what the results of all contests say of how they came about; *seconds* is how long it took."""
    return {
        "interval": "95 % intervals resample customers, the same resamples for all models.",
        "plan": run.plan.name,
        "made_on": run.today.isoformat(),
        "seconds": round(seconds),
        "versions": versions("lightgbm", "xgboost", "xgboost-cpu", "catboost", "optuna", "scikit-learn"),
    }


def line(
    held_out: HeldOut, name: str, kind: Kind, note: str, metrics: Mapping[str, Metric], plan: Plan
) -> Line:
    """Return the line of the model *name*, ours minus it in every metric included unless it is ours."""
    leading, *others = metrics
    how = {"samples": plan.samples, "seed": BOOTSTRAP_SEED}
    return Line(
        model=name,
        kind=kind,
        figures={key: Figure.of(held_out.estimate(name, metric, **how)) for key, metric in metrics.items()},
        gain=None if name == OURS else Figure.of(held_out.gain(OURS, name, metrics[leading], **how)),
        gains={}
        if name == OURS
        else {key: Figure.of(held_out.gain(OURS, name, metrics[key], **how)) for key in others},
        spread=held_out.spread(name, metrics[leading]),
        note=note,
    )
