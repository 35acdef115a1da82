"""Gradient boosting by other libraries, tuned by Optuna inside the training rows that it is given.

Each trial is judged by ROC AUC over three inner folds with early stopping; the best settings are fitted to all training
rows with the mean number of rounds. The rows that are scored at the end are never seen while tuning.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from benchmarks.packages import package

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.tables import Table

INNER_FOLDS = 3
MAX_ROUNDS = 500
PATIENCE = 30
STRENGTHS = (0.001, 0.01, 0.1, 1.0)


class Library(ABC):
    """What is asked of a boosting library; categories are one-hot columns unless it treats them itself."""

    def inputs(self, table: Table) -> Any:  # noqa: ANN401 - each library has its own
        """Return the rows as the library likes them."""
        return table.one_hot()

    @abstractmethod
    def space(self, trial: Any) -> dict[str, Any]:  # noqa: ANN401 - Optuna's
        """Return the settings of one trial."""

    @abstractmethod
    def fit(
        self,
        settings: dict[str, Any],
        train: tuple[Any, Any],
        validation: tuple[Any, Any] | None,
        rounds: int,
        seed: int,
    ) -> tuple[Any, int]:
        """Return a fitted model, and its number of rounds, stopped early where *validation* is given."""

    def score(self, model: Any, inputs: Any) -> NDArray[np.float64]:  # noqa: ANN401
        """Return a score of each row, higher for likelier."""
        return np.asarray(model.predict_proba(inputs)[:, 1], dtype=np.float64)


class LightGbm(Library):
    """LightGBM on one-hot categories."""

    def space(self, trial: Any) -> dict[str, Any]:  # noqa: ANN401, D102
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 2, 31, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 5, 120, log=True),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 30.0, log=True),
        }

    def fit(  # noqa: D102
        self,
        settings: dict[str, Any],
        train: tuple[Any, Any],
        validation: tuple[Any, Any] | None,
        rounds: int,
        seed: int,
    ) -> tuple[Any, int]:
        lightgbm = package("lightgbm")
        model = lightgbm.LGBMClassifier(
            n_estimators=rounds, subsample_freq=1, random_state=seed, n_jobs=1, verbosity=-1, **settings
        )
        if validation is None:
            return model.fit(*train), rounds
        stop = [lightgbm.early_stopping(PATIENCE, verbose=False)]
        model.fit(*train, eval_set=[validation], eval_metric="auc", callbacks=stop)
        return model, int(model.best_iteration_)


class XgBoost(Library):
    """XGBoost on one-hot categories, by histograms."""

    def space(self, trial: Any) -> dict[str, Any]:  # noqa: ANN401, D102
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
            "max_depth": trial.suggest_int("max_depth", 1, 6),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 40.0, log=True),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 30.0, log=True),
        }

    def fit(  # noqa: D102
        self,
        settings: dict[str, Any],
        train: tuple[Any, Any],
        validation: tuple[Any, Any] | None,
        rounds: int,
        seed: int,
    ) -> tuple[Any, int]:
        model = package("xgboost").XGBClassifier(
            n_estimators=rounds,
            tree_method="hist",
            eval_metric="auc",
            early_stopping_rounds=None if validation is None else PATIENCE,
            random_state=seed,
            n_jobs=1,
            **settings,
        )
        if validation is None:
            return model.fit(*train), rounds
        model.fit(*train, eval_set=[validation], verbose=False)
        return model, int(model.best_iteration) + 1


class CatBoost(Library):
    """CatBoost with its own treatment of categories."""

    def inputs(self, table: Table) -> Any:  # noqa: ANN401, D102
        pandas = package("pandas")
        frame = pandas.DataFrame(table.matrix)
        for position in table.categorical:
            frame[position] = frame[position].astype(int).astype(str)
        return frame

    def space(self, trial: Any) -> dict[str, Any]:  # noqa: ANN401, D102
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.04, 0.2, log=True),
            "depth": trial.suggest_int("depth", 2, 6),
            "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 1.0, 30.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "rsm": trial.suggest_float("rsm", 0.3, 1.0),
        }

    def fit(  # noqa: D102
        self,
        settings: dict[str, Any],
        train: tuple[Any, Any],
        validation: tuple[Any, Any] | None,
        rounds: int,
        seed: int,
    ) -> tuple[Any, int]:
        names = [
            name for name, kind in zip(train[0].columns, train[0].dtypes, strict=True) if kind.kind == "O"
        ]
        model = package("catboost").CatBoostClassifier(
            iterations=rounds,
            cat_features=names,
            one_hot_max_size=12,
            bootstrap_type="Bernoulli",
            eval_metric="AUC",
            random_seed=seed,
            thread_count=1,
            allow_writing_files=False,
            verbose=False,
            **settings,
        )
        if validation is None:
            return model.fit(*train), rounds
        model.fit(*train, eval_set=validation, early_stopping_rounds=PATIENCE, use_best_model=True)
        return model, int(model.tree_count_)


LIBRARIES: dict[str, tuple[str, Library]] = {
    "LightGBM": ("lightgbm", LightGbm()),
    "XGBoost": ("xgboost", XgBoost()),
    "CatBoost": ("catboost", CatBoost()),
}


def tuned(library: Library, train: Table, test: Table, *, trials: int, seed: int) -> NDArray[np.float64]:
    """Return a score of each row of *test* by *library*, tuned and fitted on *train* alone.

    Args:
        library: One of `LIBRARIES`.
        train: Training rows.
        test: Rows to score.
        trials: Settings that Optuna tries.
        seed: Seed of inner folds, of Optuna and of the library.

    Raises:
        MissingYardstickError: The library or Optuna is not installed.
    """
    optuna = package("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    inputs, label = library.inputs(train), train.label.astype(int)
    folds = list(StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed).split(label, label))

    def part(rows: NDArray[np.intp]) -> tuple[Any, Any]:
        return (inputs.iloc[rows] if hasattr(inputs, "iloc") else inputs[rows]), label[rows]

    def judge(trial: Any) -> float:  # noqa: ANN401 - Optuna's
        settings = library.space(trial)
        areas, rounds = [], []
        for inner, held in folds:
            validation = part(held)
            model, count = library.fit(settings, part(inner), validation, MAX_ROUNDS, seed)
            areas.append(float(roc_auc_score(validation[1], library.score(model, validation[0]))))
            rounds.append(count)
        trial.set_user_attr("settings", settings)
        trial.set_user_attr("rounds", max(1, round(float(np.mean(rounds)))))
        return float(np.mean(areas))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(judge, n_trials=trials)
    best = study.best_trial.user_attrs
    model, _ = library.fit(best["settings"], (inputs, label), None, best["rounds"], seed)
    return library.score(model, library.inputs(test))


def logistic(train: Table, test: Table, *, seed: int) -> NDArray[np.float64]:
    """Return a score of each row of *test* by logistic regression whose penalty is chosen inside *train*."""
    folds = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    search = GridSearchCV(
        LogisticRegression(max_iter=300, tol=1e-3), {"C": list(STRENGTHS)}, scoring="roc_auc", cv=folds
    )
    search.fit(train.scaled(train), train.label)
    return np.asarray(search.predict_proba(test.scaled(train))[:, 1], dtype=np.float64)
