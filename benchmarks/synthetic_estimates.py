"""What each way of estimating uplift says of later draws, and what acting on it brings by the truth of a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from training.heads.uplift.learners import LEARNERS, LearnerName, learn
from training.heads.uplift.shrinkage import measured_average
from training.heads.uplift.train import train_uplift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.heads.uplift.draws import Draws
    from training.heads.uplift.settings import UpliftSettings

SEED: Final = 7
TREATED_SHARE: Final = 0.3
"""Share of the accounts that a ranking by propensity treats."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """What one way of estimating says of m later draws and K actions.

    Attributes:
        effect: Shape (m, K).
        standard_error: Shape (m, K).
    """

    effect: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def estimates(
    train: Draws, later: Draws, settings: UpliftSettings
) -> tuple[dict[str, Estimates], LearnerName]:
    """Return the estimates of every learner, not shrunk, and of the heads as they would ship; and which was chosen."""
    actions = train.treatments.actions
    found = {}
    for name in LEARNERS:
        each = []
        for action in range(len(actions)):
            bags = learn(name, train.effect_rows(action)[0], settings, seed=SEED + 1000 * action)
            each.append([bag.effect(later.matrix) for bag in bags])
        of_bag = np.array(each)
        found[f"{name.upper()}, not shrunk"] = Estimates(of_bag.mean(axis=1).T, of_bag.std(axis=1, ddof=1).T)
    heads, report = train_uplift(
        train.treatments,
        train.matrix,
        priors={},
        outcomes=(train.outcome,),
        samples=50,
        settings=settings,
        seed=SEED,
    )
    chosen: LearnerName = report["outcomes"][train.outcome]["choice"]["learner"]
    told = {head.action: head.effects(later.matrix) for head in heads}
    found["as shipped"] = Estimates(
        np.column_stack([told[name][0] for name in actions]),
        np.column_stack([told[name][1] for name in actions]),
    )
    return found, chosen


def policies(
    found: dict[str, Estimates], train: Draws, later: Draws, truth: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the true gain per account of acting on each estimate, and of simpler policies, shape (m,) each."""
    everyone = np.arange(len(truth))
    with_nothing = np.column_stack([np.zeros(len(truth)), truth])
    averages = []
    for action in range(truth.shape[1]):
        rows, _ = train.effect_rows(action)
        averages.append(
            measured_average(rows.pseudo_effect(), np.ones(len(rows.outcome)), rows.account_id).mean
        )
    single = int(np.argmax(averages))
    gains = {"oracle that knows the truth": with_nothing.max(axis=1)}
    for name, one in found.items():
        best = np.argmax(np.column_stack([np.zeros(len(truth)), one.effect]), axis=1)
        gains[name] = with_nothing[everyone, best]
    baseline = later.expected[0, :, 0]
    propensity = 1.0 - baseline if later.outcome == "retained" else baseline
    top = propensity >= np.quantile(propensity, 1.0 - TREATED_SHARE)
    gains[f"best single action for everyone ({train.treatments.actions[single]})"] = truth[:, single]
    gains[f"the same for the {TREATED_SHARE:.0%} of highest propensity"] = np.where(
        top, truth[:, single], 0.0
    )
    gains["random action"] = truth.mean(axis=1)
    gains["nothing"] = np.zeros(len(truth))
    return gains
