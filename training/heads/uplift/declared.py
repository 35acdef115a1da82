"""One prior of several declared effects: a table of treatments may name a type that several actions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.heads.uplift.shrinkage import Prior

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.heads.uplift.shrinkage import Scale


def shared_prior(lifts: Sequence[tuple[float, float]], scale: Scale) -> Prior | None:
    """Return the prior of actions of one type, or None if none of them declares anything.

    It is the mean of their means, as unsure as the most unsure of them and as their means lie apart.

    Args:
        lifts: Mean and standard deviation of each; a deviation of 0 means that nothing is declared.
        scale: Of all of them.
    """
    declared = [(mean, sd) for mean, sd in lifts if sd > 0]
    if not declared:
        return None
    mean = sum(one for one, _ in declared) / len(declared)
    apart = max(abs(one - mean) for one, _ in declared)
    return Prior(mean=mean, sd=max(sd for _, sd in declared) + apart, scale=scale)
