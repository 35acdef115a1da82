"""What a bundle says beyond probabilities by horizon, as values: intervals, support, and what lies ahead of an account.

`training.outlook` makes it; `training.export` says it in the graph and in the manifest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.definitions import HeadName
    from training.evaluation.held_out_draws import HeldOutDraws
    from training.heads.amount import AmountModel
    from training.heads.hazard import HazardHead
    from training.heads.long_horizon import LongInterval
    from training.heads.trajectory import TrajectoryHead
    from training.heads.uplift.head import UpliftHead
    from training.support import SupportRegion
    from training.uncertainty.intervals import Uncertainty


@dataclass(frozen=True, slots=True)
class EffectHeads:
    """Uplift heads side by side, e of them.

    Attributes:
        heads: One an action and outcome.
        draws: Draws of each head's action, both arms.
        learnt: Whether each head was learnt from draws (`serving.bundle.manifest.is_learnt`); else it is a prior, moved
            by draws or not.
        window_days: Length of the outcome window.
        held_out: By outcome, later draws that heads like these, of earlier draws alone, were judged on.
    """

    heads: tuple[UpliftHead, ...]
    draws: tuple[int, ...]
    learnt: tuple[bool, ...]
    window_days: int
    held_out: tuple[HeldOutDraws, ...] = ()

    def unit_column(self, churn: HazardHead) -> int:
        """Return which horizon of *churn* a prior relative to churn is relative to: the nearest to the window."""
        return nearest_horizon(churn, self.window_days)

    def effects(
        self, churn: HazardHead, matrix: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return effects and their standard errors, shape (n, e) each; see `UpliftHead.errors_of_mean`."""
        probability = churn.probabilities(matrix)[:, self.unit_column(churn)]
        return (
            np.column_stack([head.effects(matrix, probability)[0] for head in self.heads]),
            np.column_stack([head.errors_of_mean(matrix, probability) for head in self.heads]),
        )


def is_moved(head: UpliftHead) -> bool:
    """Return whether draws changed anything of what *head*'s prior says."""
    return bool(head.bags) or (head.average, head.average_sd) != (head.prior.mean, head.prior.sd)


def nearest_horizon(head: HazardHead, days: int) -> int:
    """Return the position of the horizon of *head* that is nearest to *days*."""
    return min(range(len(head.horizons_days)), key=lambda at: abs(head.horizons_days[at] - days))


@dataclass(frozen=True, slots=True)
class Outlook:
    """All of it; whatever could not be learnt is None or empty.

    Attributes:
        uncertainty: How sure each head is; of all heads or of none.
        support: The region that training covered.
        long_interval: Expansion beyond the last horizon.
        amount: How much MRR grows if an account expands.
        trajectory: Where health goes.
        effects: What actions change.
        winback: When an account that has left comes back.
        winback_uncertainty: How sure that head is; there if it is.
        metrics: What is told of each part, for the manifest; a part that is left out says why (`left_out`).
    """

    uncertainty: dict[HeadName, Uncertainty] = field(default_factory=dict)
    support: SupportRegion | None = None
    long_interval: LongInterval | None = None
    amount: AmountModel | None = None
    trajectory: TrajectoryHead | None = None
    effects: EffectHeads | None = None
    winback: HazardHead | None = None
    winback_uncertainty: Uncertainty | None = None
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def has_outputs(self) -> bool:
        """Whether the graph's switch `outlook` has anything to switch."""
        return any(
            part is not None for part in (self.long_interval, self.amount, self.trajectory, self.effects)
        )
