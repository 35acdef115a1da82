"""Whether draws contradict what was declared of an action, and how much less priors are believed where several do.

An action's prior and its draws each say an average effect. How far these lie apart, in standard errors of their
difference, shows whether both can be right. One action far off is told and left: one of twenty is so by chance. Where
the actions of an outcome together lie further apart than the declared deviations let them, these were too small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.heads.uplift.shrinkage import Average, Prior

SURPRISING = 2.0
"""Standard errors between prior and draws from which on the report says so."""
MIN_ACTIONS = 3
"""With fewer actions of one outcome and scale nothing is learnt of how far effects lie from what is declared."""
_ALPHA = 0.05
MOST_WIDENING = 4.0
"""A prior is widened by at most so many times the largest declared deviation of its group."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """How far draws and prior are apart.

    Attributes:
        z: `(measured - declared) / sqrt(declared sd^2 + standard error^2)`; standard normal if both are right (M. Evans
            and H. Moshonov, 2006, "Checking for prior-data conflict").
        sentence: What to make of it, where it is surprising.
    """

    z: float
    sentence: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the conflict for JSON."""
        return {"z": round(self.z, 3), "sentence": self.sentence}


def conflict_of(prior: Prior, measured: Average) -> Conflict:
    """Return how far the draws of one action are from its declared prior, and a sentence where |z| is above 2."""
    z = (measured.mean - prior.mean) / float(np.hypot(prior.sd, measured.sd))
    if not abs(z) > SURPRISING:
        return Conflict(z, None)
    of = " of the churn probability" if prior.scale == "churn_probability" else ""
    return Conflict(
        z,
        f"The draws say {measured.mean:+.3f} ± {measured.sd:.3f}{of} where {prior.mean:+.3f} ± {prior.sd:.3f} is "
        f"declared: {abs(z):.1f} standard errors apart. Look at the declared effect, and at how the draws were logged.",
    )


def widened(priors: Mapping[str, Prior], measured: Mapping[str, Average | None]) -> dict[str, Prior]:
    """Return the priors of one outcome's actions, wider where draws together contradict them.

    Of each scale with three or more measured actions, `Q = sum(z^2)` is held against the chi-squared distribution that
    it has if all that is declared is right. Above its 95 % quantile one variance t^2 is added to all these priors, that
    with which `sum((measured - mean)^2 / (sd^2 + standard error^2 + t^2))` is the number of actions (R. Paule
    and J. Mandel, 1982, "Consensus values and weighting factors"); t is at most `MOST_WIDENING` declared deviations.
    Below it priors stay as declared: a handful of actions says too little to estimate a variance from each time.

    Args:
        priors: Declared, by action.
        measured: Average effect by the draws alone, None where there are too few.
    """
    found = dict(priors)
    for scale in {prior.scale for prior in priors.values()}:
        names = sorted(
            name for name, prior in priors.items() if prior.scale == scale and _known(measured.get(name))
        )
        if len(names) < MIN_ACTIONS:
            continue
        told = [one for name in names if (one := measured[name]) is not None]
        gap = np.array([one.mean - priors[name].mean for name, one in zip(names, told, strict=True)])
        variance = np.array([priors[name].sd ** 2 + one.sd**2 for name, one in zip(names, told, strict=True)])
        extra = _extra_variance(gap, variance, MOST_WIDENING * max(priors[name].sd for name in names))
        if extra:
            for name in names:
                found[name] = replace(priors[name], sd=float(np.sqrt(priors[name].sd ** 2 + extra)))
    return found


def _known(measured: Average | None) -> bool:
    return measured is not None and bool(np.isfinite(measured.sd))


def _extra_variance(gap: NDArray[np.float64], variance: NDArray[np.float64], most: float) -> float:
    def excess(extra: float) -> float:
        return float(np.sum(gap**2 / (variance + extra))) - len(gap)

    if excess(0.0) + len(gap) <= chi2.ppf(1.0 - _ALPHA, len(gap)):
        return 0.0
    return most**2 if excess(most**2) > 0 else float(brentq(excess, 0.0, most**2))
