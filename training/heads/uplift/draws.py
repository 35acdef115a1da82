"""Draws ready to learn effects from: with features, and with expected outcomes by models that never saw the account."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from training.heads.uplift.learners import EffectRows
from training.heads.uplift.nuisance import (
    account_folds,
    cross_fitted_outcomes,
    expected_outcomes,
    outcomes_without,
)
from training.heads.uplift.single import ArmRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.heads.uplift.settings import UpliftSettings
    from training.heads.uplift.shrinkage import Prior
    from training.treatments import LoggedTreatments

_BELIEF_FOLDS = 3
NO_FOLDS = "these draws have no folds: make them by `Draws.cross_fitted`"


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws with a known outcome, with features; n rows, K actions.

    Attributes:
        treatments: The n draws.
        matrix: Shape (n, f), features at the time of each.
        outcome: Which outcome is asked for; known in every row.
        expected: Shape (r, n, K + 1): expected outcome under every arm, r draws of the folds.
        churn_probability: Shape (n,), within the outcome window, or None.
        fold: Shape (n,), folds of accounts in which a learner is asked about draws that it has not seen; None for
            draws that nothing is learnt from.
        expected_without: Shape (folds, n, K + 1): by models that saw neither that fold nor the draw's own.
    """

    treatments: LoggedTreatments
    matrix: NDArray[np.float64]
    outcome: str
    expected: NDArray[np.float64]
    churn_probability: NDArray[np.float64] | None
    fold: NDArray[np.intp] | None = None
    expected_without: NDArray[np.float64] | None = None

    @classmethod
    def cross_fitted(
        cls,
        treatments: LoggedTreatments,
        matrix: NDArray[np.float64],
        outcome: str,
        churn_probability: NDArray[np.float64] | None,
        *,
        settings: UpliftSettings,
        seed: int,
    ) -> Draws:
        """Return the draws with expected outcomes by models that never saw the account."""
        treatments, matrix, churn_probability = _known(treatments, matrix, outcome, churn_probability)
        expected = [
            cross_fitted_outcomes(
                matrix,
                treatments.arm,
                treatments.outcomes[outcome],
                account_folds(treatments.account_id, settings.folds, seed + repeat),
                arms=len(treatments.actions) + 1,
                settings=settings,
                seed=seed + repeat,
            )
            for repeat in range(settings.repeats)
        ]
        fold = account_folds(treatments.account_id, max(_BELIEF_FOLDS, settings.folds), seed + 17)
        without = outcomes_without(
            matrix,
            treatments.arm,
            treatments.outcomes[outcome],
            fold,
            arms=len(treatments.actions) + 1,
            settings=settings,
            seed=seed,
        )
        return cls(treatments, matrix, outcome, np.stack(expected), churn_probability, fold, without)

    def later(
        self,
        treatments: LoggedTreatments,
        matrix: NDArray[np.float64],
        churn_probability: NDArray[np.float64] | None,
        *,
        settings: UpliftSettings,
        seed: int,
    ) -> Draws:
        """Return other draws with expected outcomes by models fitted to these."""
        treatments, matrix, churn_probability = _known(treatments, matrix, self.outcome, churn_probability)
        expected = expected_outcomes(
            (self.matrix, self.treatments.arm, self.treatments.outcomes[self.outcome]),
            matrix,
            arms=len(treatments.actions) + 1,
            settings=settings,
            seed=seed,
        )
        return Draws(treatments, matrix, self.outcome, expected[None], churn_probability)

    def effect_rows(self, action: int) -> tuple[EffectRows, NDArray[np.intp]]:
        """Return the draws between *action* and nothing, and their positions."""
        rows = self.treatments.comparable(action)
        return EffectRows(
            matrix=self.matrix[rows],
            account_id=self.treatments.account_id[rows],
            treated=self.treatments.arm[rows] == action + 1,
            chance=self.treatments.chance(action)[rows],
            outcome=self.treatments.outcomes[self.outcome][rows],
            expected=self.expected[:, rows][:, :, [0, action + 1]],
        ), rows

    def effect_rows_without(self, action: int, fold: int) -> EffectRows:
        """Return the draws of `effect_rows` outside *fold*, with expected outcomes that know nothing of it.

        Raises:
            ValueError: The draws have no folds.
        """
        if self.fold is None or self.expected_without is None:
            raise ValueError(NO_FOLDS)
        rows, positions = self.effect_rows(action)
        outside = np.flatnonzero(self.fold[positions] != fold)
        expected = self.expected_without[fold][positions[outside]][None, :, [0, action + 1]]
        return replace(rows.select(outside), expected=expected)

    def outside(self, fold: int | None) -> NDArray[np.intp]:
        """Return the positions of the draws outside *fold*, of all draws if it is None.

        Raises:
            ValueError: The draws have no folds.
        """
        if fold is None:
            return np.arange(len(self.matrix))
        if self.fold is None:
            raise ValueError(NO_FOLDS)
        return np.flatnonzero(self.fold != fold)

    def arm_rows(self, rows: NDArray[np.intp]) -> ArmRows:
        """Return the draws at the positions *rows*, whatever arm was drawn."""
        return ArmRows(
            self.matrix[rows],
            self.treatments.account_id[rows],
            self.treatments.arm[rows],
            self.treatments.outcomes[self.outcome][rows],
            len(self.treatments.actions),
        )

    def units(self, prior: Prior, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the units of *prior*'s scale at the positions *rows*."""
        churn = None if self.churn_probability is None else self.churn_probability[rows]
        return prior.units(len(rows), churn)


def _known(
    treatments: LoggedTreatments,
    matrix: NDArray[np.float64],
    outcome: str,
    churn_probability: NDArray[np.float64] | None,
) -> tuple[LoggedTreatments, NDArray[np.float64], NDArray[np.float64] | None]:
    known = np.flatnonzero(np.isfinite(treatments.outcomes[outcome]))
    churn = None if churn_probability is None else churn_probability[known]
    return treatments.select(known), matrix[known], churn
