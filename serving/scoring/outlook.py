"""What a bundle expects of an account beyond churn and upsell: trajectory, a year's expansion, effects of actions.

Decisions and the account card ask for it; a plain score does not.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Outputs

OUTLOOK_DIGITS = 6
"""As of probabilities, so that an account does not depend on those that it is scored with."""


class Outlook(NamedTuple):
    """The outlook of one account; what the bundle lacks is None or empty, and what is no number is None.

    Attributes:
        upsell_long: Probability of expanding within the manifest's `long_horizon`.
        extra_mrr_ratio: Expected extra MRR if the account expands, as a share of its MRR.
        trajectory: Probability of each of the manifest's `trajectory.classes`.
        effects: Change of probability by each of the manifest's `effects.columns`.
        effect_errors: Its standard error.
    """

    upsell_long: float | None
    extra_mrr_ratio: float | None
    trajectory: tuple[float, ...]
    effects: tuple[float | None, ...]
    effect_errors: tuple[float | None, ...]


def outlooks(outputs: Outputs, count: int) -> Sequence[Outlook | None]:
    """Return the outlook of each of *count* accounts out of the graph's *outputs*; None where there is none."""
    long, ratio = outputs.long_horizon, outputs.extra_mrr_ratio
    wide = (outputs.trajectory, outputs.effects, outputs.effect_errors)
    parts = [None if long is None else long[:, None], None if ratio is None else ratio[:, None], *wide]
    if all(part is None for part in parts):
        return [None] * count
    # One table of all parts: what is done once a call costs more than what is done once a number.
    ends = list(itertools.accumulate(0 if part is None else part.shape[1] for part in parts))
    after_long, after_ratio, after_trajectory, after_effects, after_errors = ends
    found = []
    for line in _rounded(np.hstack([part for part in parts if part is not None])):
        trajectory = tuple(line[after_ratio:after_trajectory])
        found.append(
            Outlook(
                upsell_long=line[0] if after_long else None,
                extra_mrr_ratio=line[after_long] if after_ratio > after_long else None,
                trajectory=() if None in trajectory else trajectory,
                effects=tuple(line[after_trajectory:after_effects]),
                effect_errors=tuple(line[after_effects:after_errors]),
            )
        )
    return found


def _rounded(table: NDArray[np.float64]) -> list[list[Any]]:
    """Return the rows of *table*, with None for what is not finite."""
    rounded: NDArray[Any] = np.round(table, OUTLOOK_DIGITS)
    finite = np.isfinite(rounded)
    if not finite.all():
        rounded = rounded.astype(object)
        rounded[~finite] = None
    return list(rounded.tolist())
