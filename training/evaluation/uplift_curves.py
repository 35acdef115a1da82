"""How well a score ranks accounts by uplift: AUUC, the Qini coefficient, and uplift among the top share.

Figures of different libraries can't be compared, since they normalise differently. Here every figure is in units of
the outcome per account of the whole population, and draws are weighted by the inverse of their propensity, so that
logs whose treatment chance differs between accounts are read rightly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap, Estimate
    from training.treatments import LoggedTreatments

SHARES = (0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class UpliftRows:
    """n draws between one action and nothing.

    Attributes:
        account_id: Shape (n,), object.
        treated: Shape (n,), whether the action was taken.
        chance: Shape (n,), the chance that it would be, within (0, 1).
        outcome: Shape (n,), what came of it; higher is better.
    """

    account_id: NDArray[np.object_]
    treated: NDArray[np.bool_]
    chance: NDArray[np.float64]
    outcome: NDArray[np.float64]

    @classmethod
    def of(
        cls, treatments: LoggedTreatments, action: int, outcome: str
    ) -> tuple[UpliftRows, NDArray[np.intp]]:
        """Return the draws of *action* or nothing whose *outcome* is known, and their positions in *treatments*."""
        rows = treatments.comparable(action)
        rows = rows[np.isfinite(treatments.outcomes[outcome][rows])]
        return cls(
            account_id=treatments.account_id[rows],
            treated=treatments.arm[rows] == action + 1,
            chance=treatments.chance(action)[rows],
            outcome=treatments.outcomes[outcome][rows],
        ), rows

    @property
    def inverse_chance(self) -> NDArray[np.float64]:
        """One over the chance of the arm that was drawn, shape (n,)."""
        return np.asarray(1.0 / np.where(self.treated, self.chance, 1.0 - self.chance), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Curve:
    """Weighted sums over the best-scored accounts, from none to all; b weightings, g groups of equal score.

    Attributes:
        share: Shape (b, g + 1): share of the population.
        treated: Shape (b, g + 1): inverse-propensity weight of the treated.
        control: Shape (b, g + 1): of the others.
        treated_outcome: Shape (b, g + 1): outcome of the treated, weighted.
        control_outcome: Shape (b, g + 1): of the others.
    """

    share: NDArray[np.float64]
    treated: NDArray[np.float64]
    control: NDArray[np.float64]
    treated_outcome: NDArray[np.float64]
    control_outcome: NDArray[np.float64]

    @classmethod
    def of(
        cls, rows: UpliftRows, score: NDArray[np.float64], weight: NDArray[np.float64] | None = None
    ) -> Curve:
        """Sort *rows* by *score*, best first; rows of equal score form one step, so that their order can't matter.

        Args:
            rows: n draws.
            score: Shape (n,), higher means treat first.
            weight: Shape (n,) or (b, n); ones if None.
        """
        weights = np.ones((1, len(score))) if weight is None else np.atleast_2d(weight)
        order = np.argsort(-score, kind="stable")
        ordered = score[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        inverse = rows.inverse_chance

        def summed(factor: NDArray[np.float64]) -> NDArray[np.float64]:
            steps = np.add.reduceat((weights * factor)[:, order], starts, axis=1)
            return np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)

        everyone = summed(np.ones(len(score)))
        return cls(
            share=everyone / everyone[:, -1:],
            treated=summed(rows.treated * inverse),
            control=summed(~rows.treated * inverse),
            treated_outcome=summed(rows.treated * inverse * rows.outcome),
            control_outcome=summed(~rows.treated * inverse * rows.outcome),
        )

    def gain(self) -> NDArray[np.float64]:
        """Return the cumulative gain, shape (b, g + 1): share of the population times the uplift within it."""
        return self.share * self._uplift()

    def qini(self) -> NDArray[np.float64]:
        """Return Radcliffe's Qini curve per account, shape (b, g + 1), with inverse-propensity weights.

        `(Y_t(s) - Y_c(s) * N_t(s) / N_c(s)) / N_t`, where sums run over the best share s and N_t is the whole weight of
        the treated (N. Radcliffe, 2007, "Using control groups to target on predicted lift").
        """
        return (self.treated / self.treated[:, -1:]) * self._uplift()

    def _uplift(self) -> NDArray[np.float64]:
        """Return mean outcome of the treated less that of the others within each share; 0 until both are there."""
        both = (self.treated > 0) & (self.control > 0)
        treated, control = (
            np.divide(outcome, weight, out=np.zeros_like(outcome), where=both)
            for outcome, weight in (
                (self.treated_outcome, self.treated),
                (self.control_outcome, self.control),
            )
        )
        return np.asarray(treated - control, dtype=np.float64)


def auuc(
    rows: UpliftRows, score: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the area under the uplift curve, shape (b,): gain per account, averaged over all shares treated.

    The curve is `s * (mean outcome of the treated - of the others)` among the best share s (Gutierrez and Gérardy,
    2016, "Causal inference and uplift modelling: a review of the literature"); a random score has half the average
    effect. Not divided by anything: a perfect score has no fixed value.

    Args:
        rows: n draws.
        score: Shape (n,), higher means treat first.
        weight: Shape (n,) or (b, n); ones if None.
    """
    curve = Curve.of(rows, score, weight)
    return _area(curve.gain(), curve.share)


def qini_coefficient(
    rows: UpliftRows, score: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the area between the Qini curve and the straight line to its end, shape (b,); 0 for a random score.

    In units of the outcome per account (Radcliffe 2007); not divided by that of a perfect ranking, which nobody knows.

    Args:
        rows: n draws.
        score: Shape (n,), higher means treat first.
        weight: Shape (n,) or (b, n); ones if None.
    """
    curve = Curve.of(rows, score, weight)
    qini = curve.qini()
    return np.asarray(_area(qini, curve.share) - 0.5 * qini[:, -1], dtype=np.float64)


def qini_points(
    rows: UpliftRows,
    score: NDArray[np.float64],
    points: int = 21,
    bootstrap: AccountBootstrap | None = None,
) -> dict[str, Any]:
    """Return Radcliffe's Qini curve at *points* even shares, for a drawing: `x`, `y` and labels.

    Args:
        rows: n draws.
        score: Shape (n,), higher means treat first.
        points: How many, both ends included.
        bootstrap: Resamples of the accounts of *rows*; with them, `low` and `high` hold the interval at every share.
    """
    shares = np.linspace(0.0, 1.0, points)

    def heights(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        curve = Curve.of(rows, score, weight)
        return np.array(
            [np.interp(shares, share, qini) for share, qini in zip(curve.share, curve.qini(), strict=True)]
        )

    found: dict[str, Any] = {
        "x": np.round(shares, 4).tolist(),
        "y": np.round(heights(np.ones((1, len(score))))[0], 6).tolist(),
        "x_label": "share acted on, best first",
        "y_label": "gain an account",
        "caption": "Gain in the outcome an account as more are acted on; the dashed line is a random order.",
    }
    if bootstrap is not None:
        low, high = bootstrap.band(heights)
        found |= {"low": np.round(low, 6).tolist(), "high": np.round(high, 6).tolist()}
        found["caption"] += " The band holds 95 % of resamples of accounts at each share."
    return found


def uplift_at(
    rows: UpliftRows, score: NDArray[np.float64], share: float, weight: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the uplift among the best *share* of the population, shape (b,); NaN if one arm is absent there.

    Rows of equal score at the edge count in proportion.

    Args:
        rows: n draws.
        score: Shape (n,), higher means treat first.
        share: Within (0, 1].
        weight: Shape (n,) or (b, n); ones if None.
    """
    curve = Curve.of(rows, score, weight)

    def at(column: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array(
            [np.interp(share, shares, values) for shares, values in zip(curve.share, column, strict=True)]
        )

    with np.errstate(divide="ignore", invalid="ignore"):
        uplift = at(curve.treated_outcome) / at(curve.treated) - at(curve.control_outcome) / at(curve.control)
    return np.asarray(uplift, dtype=np.float64)


def ranking_figures(
    rows: UpliftRows, score: NDArray[np.float64], bootstrap: AccountBootstrap
) -> dict[str, Estimate]:
    """Return `qini`, `auuc`, `average_effect` and uplift at 10, 20 and 30 %, with account-bootstrap intervals.

    Args:
        rows: n draws.
        score: Shape (n,), higher means treat first.
        bootstrap: Resamples of the accounts of *rows*.
    """
    figures = {
        "average_effect": bootstrap.estimate(
            lambda weight: uplift_at(rows, np.zeros(len(score)), 1.0, weight)
        ),
        "auuc": bootstrap.estimate(lambda weight: auuc(rows, score, weight)),
        "qini": bootstrap.estimate(lambda weight: qini_coefficient(rows, score, weight)),
    }
    for share in SHARES:
        figures[f"uplift_at_{share:.0%}"] = bootstrap.estimate(
            lambda weight, share=share: uplift_at(rows, score, share, weight)  # type: ignore[misc]
        )
    return figures


def _area(height: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area under each row of *height* over *share*, by the trapezoidal rule."""
    return np.asarray(np.sum(0.5 * (height[:, 1:] + height[:, :-1]) * np.diff(share, axis=1), axis=1))
