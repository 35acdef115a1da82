"""A head and how it came about: what its draws measured, what was believed before, and how far its trees count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.heads.uplift.conflict import conflict_of

if TYPE_CHECKING:
    from training.heads.uplift.head import UpliftHead
    from training.heads.uplift.shrinkage import Average, Prior, Slope


@dataclass(frozen=True, slots=True)
class Fit:
    """A head and how it came about.

    Attributes:
        head: The head.
        draws: Draws of the action, both arms.
        treated: Of these, taken.
        measured: The average effect per unit by the draws alone, or None if they are too few.
        weight: Weight of the draws against the prior in the average.
        slope: How much of the trees' differences came true out of fold, or None if no trees were tried.
        average: The average effect after prior and draws; the head's own `average_sd` has single accounts in it too.
        declared: The prior as it was declared, where that of the head is wider; else None.
    """

    head: UpliftHead
    draws: int
    treated: int
    measured: Average | None
    weight: float
    slope: Slope | None
    average: Average | None = None
    declared: Prior | None = None

    def facts(self) -> dict[str, Any]:
        """Return what a report says of the head, for JSON."""
        head, measured, slope = self.head, self.measured, self.slope
        declared = self.declared or head.prior
        return {
            "draws": self.draws,
            "treated": self.treated,
            "learner": head.learner,
            "prior": {
                "mean": declared.mean,
                "sd": declared.sd,
                "scale": declared.scale,
                "sd_used": head.prior.sd,
            },
            "conflict": None if measured is None else conflict_of(declared, measured).as_dict(),
            "measured": None if measured is None else {"mean": measured.mean, "standard_error": measured.sd},
            "weight_of_draws": self.weight,
            "average": {
                "mean": head.average,
                "sd": head.average_sd if self.average is None else self.average.sd,
                "sd_of_an_account": head.average_sd,
            },
            "slope": None
            if slope is None
            else {"raw": slope.raw, "standard_error": slope.sd, "used": head.slope},
        }
