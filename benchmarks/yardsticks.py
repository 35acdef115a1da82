"""Uplift learners of causalml and EconML behind one signature, each left out with a sentence if it isn't installed.

Their base learners are LightGBM of about the size of ours, so that libraries are compared and not tree sizes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from benchmarks.packages import package

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Learner: TypeAlias = Callable[["Trial"], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial with K actions and nothing, and customers whose effects are asked for.

    Attributes:
        matrix: Shape (n, f), no missing values.
        arm: Shape (n,), 0 for nothing, k + 1 for action k.
        outcome: Shape (n,).
        asked: Shape (m, f).
        actions: Number of actions.
        seed: Seed of everything random.
    """

    matrix: NDArray[np.float64]
    arm: NDArray[np.intp]
    outcome: NDArray[np.float64]
    asked: NDArray[np.float64]
    actions: int
    seed: int


def estimated(learner: Learner, trial: Trial) -> NDArray[np.float64]:
    """Return the effects that *learner* tells, shape (m, K), made in this process alone.

    Libraries start pools of processes of their own for work of one process, and these outlive it by minutes.
    """
    with package("joblib").parallel_config(backend="sequential"):
        return learner(trial)


def available() -> tuple[dict[str, Learner], tuple[str, ...]]:
    """Return the yardsticks that are installed, by name, and a sentence for each library, installed or not."""
    found: dict[str, Learner] = {}
    notes = []
    for library, learners in (("causalml", _causalml()), ("econml", _econml())):
        try:
            version = metadata.version(library)
        except metadata.PackageNotFoundError:
            notes.append(
                f"{library} is not installed, so its learners are missing from the table; "
                "`pip install -r benchmarks/requirements.txt` in a venv of its own brings them"
            )
            continue
        notes.append(f"{library} {version}")
        found |= {f"{library} {name}": learner for name, learner in learners.items()}
    return found, tuple(notes)


def _regressor(trial: Trial, *, leaves: int = 8) -> Any:  # noqa: ANN401 - libraries without types
    from lightgbm import LGBMRegressor  # noqa: PLC0415 - slow, and only needed with a yardstick

    return LGBMRegressor(
        n_estimators=60,
        num_leaves=leaves,
        min_child_samples=300,
        learning_rate=0.05,
        reg_lambda=10.0,
        n_jobs=1,
        verbosity=-1,
        random_state=trial.seed,
    )


def _causalml() -> dict[str, Learner]:
    def meta(name: str) -> Learner:
        def effects(trial: Trial) -> NDArray[np.float64]:
            chosen = getattr(package("causalml.inference.meta"), name)
            model = chosen(learner=_regressor(trial), control_name=0)
            shares = {k + 1: np.full(len(trial.matrix), 0.5) for k in range(trial.actions)}
            needs = name in {"BaseXRegressor", "BaseRRegressor", "BaseDRRegressor"}
            given = {"p": shares} if needs else {}
            model.fit(X=trial.matrix, treatment=trial.arm, y=trial.outcome, **given)
            asked = {k + 1: np.full(len(trial.asked), 0.5) for k in range(trial.actions)}
            given = {"p": asked} if name == "BaseXRegressor" else {}
            return _plain(model.predict(trial.asked, **given), trial)

        return effects

    return {
        "S": meta("BaseSRegressor"),
        "T": meta("BaseTRegressor"),
        "X": meta("BaseXRegressor"),
        "R": meta("BaseRRegressor"),
        "DR": meta("BaseDRRegressor"),
    }


def _econml() -> dict[str, Learner]:
    def with_(make: Callable[[Trial], Any], **fit: Any) -> Learner:  # noqa: ANN401 - libraries without types
        def effects(trial: Trial) -> NDArray[np.float64]:
            model = make(trial)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(trial.outcome, trial.arm, X=trial.matrix, **fit)
                columns = [model.effect(trial.asked, T0=0, T1=k + 1) for k in range(trial.actions)]
            return _plain(np.column_stack([np.ravel(column) for column in columns]), trial)

        return effects

    def dummy() -> Any:  # noqa: ANN401 - libraries without types
        from sklearn.dummy import DummyClassifier  # noqa: PLC0415 - only needed with a yardstick

        return DummyClassifier(
            strategy="prior"
        )  # the arms were drawn by lot: their shares are the propensities

    def linear(trial: Trial) -> Any:  # noqa: ANN401 - libraries without types
        return package("econml.dr").LinearDRLearner(
            model_regression=_regressor(trial), model_propensity=dummy(), cv=3, random_state=trial.seed
        )

    def boosted(trial: Trial) -> Any:  # noqa: ANN401 - libraries without types
        return package("econml.dr").DRLearner(
            model_regression=_regressor(trial),
            model_propensity=dummy(),
            model_final=_regressor(trial),
            cv=3,
            random_state=trial.seed,
        )

    def forest(trial: Trial) -> Any:  # noqa: ANN401 - libraries without types
        return package("econml.dr").ForestDRLearner(
            model_regression=_regressor(trial),
            model_propensity=dummy(),
            n_estimators=100,
            min_samples_leaf=300,
            cv=3,
            n_jobs=1,
            random_state=trial.seed,
        )

    def causal_forest(trial: Trial) -> Any:  # noqa: ANN401 - libraries without types
        return package("econml.dml").CausalForestDML(
            model_y=_regressor(trial),
            model_t=dummy(),
            discrete_treatment=True,
            n_estimators=100,
            min_samples_leaf=300,
            cv=3,
            n_jobs=1,
            random_state=trial.seed,
        )

    def x(trial: Trial) -> Any:  # noqa: ANN401 - libraries without types
        return package("econml.metalearners").XLearner(
            models=_regressor(trial), cate_models=_regressor(trial), propensity_model=dummy()
        )

    return {
        "LinearDRLearner": with_(linear),
        "DRLearner": with_(boosted),
        "ForestDRLearner": with_(forest),
        "CausalForestDML": with_(causal_forest),
        "XLearner": with_(x),
    }


def _plain(effects: Any, trial: Trial) -> NDArray[np.float64]:  # noqa: ANN401 - libraries without types
    return np.asarray(effects, dtype=np.float64).reshape(len(trial.asked), trial.actions)
