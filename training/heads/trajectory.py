"""The trajectory head: whether health declines, holds or improves, as calibrated probabilities.

Two boosters of the kind that the graph can say: one margin for declining, one for improving, each against the rest.
Multinomial logistic regression on the two margins (stable is the reference) makes probabilities of them, so margins
need not agree with each other, and the three sum to one.

They read what the other heads read and, after it, what is known of health: its level and how it moved. Whoever leaves
has declined, and the churn head knows best who leaves: where it has the horizon, the boosters are fitted to accounts
that stay, and P(declining) = P(churn) + (1 - P(churn)) P(declining | stays), which is never less likely than leaving.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize

from training.errors import TooLittleDataError
from training.heads import boosting
from training.labels_trajectory import CLASSES, DECLINING, IMPROVING, STABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.definitions import Definitions

LEAST_ROWS_OF_A_CLASS = 20
_PENALTY = 1.0
_LEVEL_STEPS = 50


@dataclass(frozen=True, slots=True)
class TrajectoryRows:
    """Feature rows whose class is known: matrix of shape (n, f), label of shape (n,) with 0, 1 or 2."""

    matrix: NDArray[np.float64]
    label: NDArray[np.float64]

    @classmethod
    def known(cls, matrix: NDArray[np.float64], label: NDArray[np.float64]) -> TrajectoryRows:
        """Return the rows of *matrix* whose *label* is not NaN."""
        told = ~np.isnan(label)
        return cls(matrix[told], label[told])

    def against_the_rest(self, chosen: int, names: Sequence[str]) -> boosting.BoosterRows:
        """Return rows for a booster of one class against the others."""
        periods = boosting.PersonPeriods(
            rows=np.arange(len(self.label)),
            event=(self.label == chosen).astype(np.float64),
            weight=np.ones(len(self.label)),
        )
        return boosting.BoosterRows(self.matrix, periods, names)


@dataclass(frozen=True, slots=True)
class TrajectoryHead:
    """Probabilities of declining, stable and improving.

    Attributes:
        declining: Booster of declining against the rest.
        improving: Booster of improving against the rest.
        coefficients: Shape (3, 3): column c gives the logit of class c as `m_declining * row0 + m_improving * row1 +
            row2`; the column of stable is 0.
        inputs: Names of the e columns after those of the other heads.
        churn_column: Horizon of the churn head, by position, whose events count as declining on top of those who stay;
            None if the boosters tell of everyone.
    """

    declining: lgb.Booster
    improving: lgb.Booster
    coefficients: NDArray[np.float64]
    inputs: tuple[str, ...] = ()
    churn_column: int | None = None

    def probabilities(
        self, matrix: NDArray[np.float64], churn: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the probability of each class in the order of `CLASSES`, shape (n, 3); rows sum to 1.

        Args:
            matrix: Shape (n, f + e), see `with_inputs`.
            churn: Shape (n, horizons), probabilities of the churn head; needed if `churn_column` is set.

        Raises:
            ValueError: They are needed and not given.
        """
        found = softmax(_inputs(self.declining, self.improving, matrix) @ self.coefficients)
        if self.churn_column is None:
            return found
        if churn is None:
            raise ValueError("this trajectory is of accounts that stay; it needs the probabilities of churn")
        return joined_with_churn(found, churn[:, self.churn_column])


def with_inputs(matrix: NDArray[np.float64], health: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return *matrix*, shape (n, f), with *health*, shape (n, e) or None, after its columns."""
    return matrix if health is None else np.hstack([matrix, health])


def joined_with_churn(staying: NDArray[np.float64], churn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return class probabilities of everyone, shape (n, 3), of those who stay and P(churn), shape (n,), joined."""
    found = staying * (1.0 - churn)[:, None]
    found[:, DECLINING] += churn
    return found


def train_trajectory(
    train: TrajectoryRows,
    validation: TrajectoryRows,
    refit: TrajectoryRows | None,
    *,
    definitions: Definitions,
    feature_names: Sequence[str],
    seed: int,
    num_threads: int,
    inputs: tuple[str, ...] = (),
    churn_column: int | None = None,
) -> tuple[TrajectoryHead, dict[str, Any]]:
    """Train the head; return it and how it came about, for the manifest.

    Args:
        train: Rows to fit while choosing; without those who leave if *churn_column* is set.
        validation: Later rows for early stopping and calibration, likewise.
        refit: Rows for the final boosters, likewise, or None to keep those of the training part.
        definitions: Boosting stages.
        feature_names: Columns of the matrices but for *inputs*.
        seed: Seed of LightGBM.
        num_threads: Threads of LightGBM.
        inputs: Names of the columns after those.
        churn_column: See `TrajectoryHead`.

    Raises:
        TooLittleDataError: A class has under 20 rows in a part.
    """
    for part, rows in (("training", train), ("validation", validation)):
        counts = np.bincount(rows.label.astype(np.intp), minlength=len(CLASSES))
        if counts.min() < LEAST_ROWS_OF_A_CLASS:
            shown = ", ".join(f"{count} {name}" for name, count in zip(CLASSES, counts.tolist(), strict=True))
            raise TooLittleDataError(
                f"the {part} part has {shown} rows of health trajectory; {LEAST_ROWS_OF_A_CLASS} of each are needed"
            )
    feature_names = [*feature_names, *inputs]
    boosters: dict[int, lgb.Booster] = {}
    finals: dict[int, lgb.Booster] = {}
    rounds: dict[str, dict[str, int]] = {}
    for chosen in (DECLINING, IMPROVING):
        fit, check = (rows.against_the_rest(chosen, feature_names) for rows in (train, validation))
        booster: lgb.Booster | None = None
        final: lgb.Booster | None = None
        taken: dict[str, int] = {}
        for stage in definitions.model.stages:
            params = boosting.parameters(stage, seed=seed, num_threads=num_threads)
            held = booster.num_trees() if booster is not None else 0
            booster = boosting.fit_with_early_stopping(
                fit,
                check,
                params,
                max_rounds=stage.max_rounds,
                patience=definitions.model.early_stopping_rounds,
                base=booster,
            )
            taken[stage.name] = booster.num_trees() - held
            if refit is not None:
                everything = refit.against_the_rest(chosen, feature_names)
                final = boosting.fit_rounds(everything, params, taken[stage.name], final)
        if booster is None:
            raise ValueError("definitions should have at least one boosting stage")
        boosters[chosen], finals[chosen] = booster, final if final is not None else booster
        rounds[CLASSES[chosen]] = taken
    margins = _inputs(boosters[DECLINING], boosters[IMPROVING], validation.matrix)
    fitted = fit_softmax(margins, validation.label)
    # Validation is a season: health falls over the holidays. Slopes come from it, the level from all rows.
    level = [refit] if refit is not None else [train, validation]
    coefficients = refit_levels(
        fitted,
        _inputs(finals[DECLINING], finals[IMPROVING], np.concatenate([rows.matrix for rows in level])),
        np.concatenate([rows.label for rows in level]),
    )
    head = TrajectoryHead(finals[DECLINING], finals[IMPROVING], coefficients, inputs, churn_column)
    choice = {
        "rounds": rounds,
        "refitted": refit is not None,
        "inputs": list(inputs),
        "of_accounts_that_stay": churn_column is not None,
        "coefficients": coefficients.tolist(),
        "validation_log_loss": _loss(margins @ fitted, validation.label),
    }
    return head, choice


def fit_softmax(inputs: NDArray[np.float64], label: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coefficients of multinomial logistic regression, stable as reference, held near one-against-rest.

    The prior (Gaussian, variance 1) is that a class's logit is its own margin; with thousands of rows it vanishes.

    Args:
        inputs: Shape (n, 3): the margins of declining and improving, and ones.
        label: Shape (n,), 0, 1 or 2.
    """
    prior = np.zeros((3, 2))
    prior[0, 0] = prior[1, 1] = 1.0

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        full = _with_reference(flat.reshape(3, 2))
        residual = softmax(inputs @ full) - np.eye(len(CLASSES))[label.astype(np.intp)]
        away = flat.reshape(3, 2) - prior
        loss = _loss(inputs @ full, label) * len(label) + 0.5 * _PENALTY * float((away**2).sum())
        slope = inputs.T @ residual[:, [DECLINING, IMPROVING]] + _PENALTY * away
        return loss, np.asarray(slope.ravel(), dtype=np.float64)

    found = minimize(objective, prior.ravel(), jac=True, method="L-BFGS-B")
    return _with_reference(np.asarray(found.x, dtype=np.float64).reshape(3, 2))


def refit_levels(
    coefficients: NDArray[np.float64], inputs: NDArray[np.float64], label: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return *coefficients* with the intercepts at which mean probabilities are the class shares of *label*.

    Args:
        coefficients: Shape (3, 3); slopes are kept.
        inputs: Shape (n, 3), as in `fit_softmax`.
        label: Shape (n,), 0, 1 or 2.
    """
    moved = coefficients.copy()
    wanted = (np.bincount(label.astype(np.intp), minlength=len(CLASSES)) + 0.5) / (len(label) + 1.5)
    for _ in range(_LEVEL_STEPS):
        step = np.log(wanted / softmax(inputs @ moved).mean(axis=0))
        moved[2] += step - step[STABLE]
    return moved


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities of shape (n, classes) that sum to 1 a row."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def _with_reference(free: NDArray[np.float64]) -> NDArray[np.float64]:
    full = np.zeros((3, len(CLASSES)))
    full[:, DECLINING], full[:, IMPROVING] = free[:, 0], free[:, 1]
    full[:, STABLE] = 0.0
    return full


def _inputs(
    declining: lgb.Booster, improving: lgb.Booster, matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    margins = [
        np.asarray(one.predict(matrix, raw_score=True), dtype=np.float64) for one in (declining, improving)
    ]
    return np.column_stack([*margins, np.ones(len(matrix))])


def _loss(logits: NDArray[np.float64], label: NDArray[np.float64]) -> float:
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float(np.mean(total - logits[np.arange(len(label)), label.astype(np.intp)]))
