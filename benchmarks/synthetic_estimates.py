"""What each way of estimating uplift says of later draws of a synthetic world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.synthetic_world import SEED
from training.heads.uplift.draws import Draws
from training.heads.uplift.grown import grow
from training.heads.uplift.shrinkage import SCEPTICAL
from training.outlook_effects import COMPARED, SETTINGS, learn_effects
from training.treatments import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.synthetic_world import SyntheticWorld
    from training.heads.uplift.shrinkage import Prior
    from training.treatments import LoggedTreatments, Outcome

SHIPPED: Final = "as shipped"
PRIORS: Final = "declared priors alone"
REPORT_SAMPLES: Final = 200


@dataclass(frozen=True, slots=True)
class Estimates:
    """What one way of estimating says of m later draws and K actions.

    Attributes:
        effect: Shape (m, K).
        standard_error: Shape (m, K), of a single account's effect.
        of_mean: Shape (m, K), of the mean over accounts that look alike.
    """

    effect: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    of_mean: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that is said of one world.

    Attributes:
        later: The m later draws; the outcomes of all of them are known.
        propensity: By outcome, shape (m,): chance of leaving within the window, and of expanding.
        estimates: By outcome and way of estimating.
        report: What `keepgrow train` would have said after the earlier draws.
        single: By outcome, the action of the largest measured average.
    """

    later: LoggedTreatments
    propensity: dict[Outcome, NDArray[np.float64]]
    estimates: dict[Outcome, dict[str, Estimates]]
    report: dict[str, Any]
    single: dict[Outcome, int]


def tell(world: SyntheticWorld, priors: Mapping[tuple[str, str], Prior]) -> Told:
    """Return what is estimated from the earlier draws of *world* for its later ones.

    `as shipped` are the heads that `keepgrow train` would have made when the first of the later draws was made: the
    same function, settings and learners, the declared priors, and churn by heads that had not seen the account. The
    learners by themselves are fitted with the same settings, neither shrunk nor chosen.

    Args:
        world: Of `read_world`.
        priors: Declared effects by (action, outcome).
    """
    early, late = world.split.train, world.split.held_out
    known, later = world.treatments.select(early), world.treatments.select(late)
    matrix, churn = world.matrix[late], world.churn[late]
    heads, report = learn_effects(
        known, world.matrix[early], world.churn[early], outcomes=OUTCOMES, priors=priors,
        samples=REPORT_SAMPLES, seed=SEED, progress=lambda _: None,
    )  # fmt: skip
    found: dict[Outcome, dict[str, Estimates]] = {}
    single: dict[Outcome, int] = {}
    propensity: dict[Outcome, NDArray[np.float64]] = {}
    names = known.actions
    for outcome in OUTCOMES:
        draws = Draws.cross_fitted(
            known, world.matrix[early], outcome, world.churn[early], settings=SETTINGS, seed=SEED
        )
        every: dict[str, Estimates] = {}
        rows_of = [draws.effect_rows(action)[0] for action in range(len(names))]
        for learner in COMPARED:
            grown = grow(learner, draws, range(len(names)), settings=SETTINGS, seed=SEED)
            of_bag = np.array([[bag.effect(matrix) for bag in grown[action]] for action in range(len(names))])
            spread = of_bag.std(axis=1, ddof=1).T
            every[f"{learner.upper()}, not shrunk"] = Estimates(of_bag.mean(axis=1).T, spread, spread)
        told = {
            head.action: (*head.effects(matrix, churn), head.errors_of_mean(matrix, churn))
            for head in heads
            if head.outcome == outcome
        }
        every[SHIPPED] = _side_by_side([told[name] for name in names])
        declared = [priors.get((name, outcome), SCEPTICAL) for name in names]
        units = [prior.units(len(matrix), churn) for prior in declared]
        every[PRIORS] = _side_by_side(
            [(prior.mean * unit, *[prior.sd * unit] * 2) for prior, unit in zip(declared, units, strict=True)]
        )
        found[outcome] = every
        averages = [float(rows.pseudo_effect().mean()) for rows in rows_of]
        single[outcome] = int(np.argmax(averages))
        expected = draws.later(later, matrix, churn, settings=SETTINGS, seed=SEED).expected[0, :, 0]
        propensity[outcome] = churn if outcome == "retained" else expected
    return Told(later, propensity, found, report, single)


def _side_by_side(columns: Sequence[tuple[NDArray[np.float64], ...]]) -> Estimates:
    effect, single, of_mean = (np.column_stack(column) for column in zip(*columns, strict=True))
    return Estimates(effect, single, of_mean)
