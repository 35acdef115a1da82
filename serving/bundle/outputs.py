"""What a bundle's graph says of accounts: the outputs that a manifest names, and their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from serving.bundle.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the graph says of n accounts.

    Attributes:
        probabilities: Per head, float64 of shape (n, horizons of the head).
        contributions: Float32 of shape (n, model features), additive contributions in log-odds to the score
            head's probability at the scored horizon; None if they were not asked for.
        low: Per head, lower ends of the intervals, of the shape of its probabilities; None if they were not asked for
            or the bundle has none. The same holds of all that follow.
        high: Upper ends likewise.
        long_horizon: Shape (n,), probability of expanding within the long horizon.
        extra_mrr_ratio: Shape (n,), expected extra MRR over MRR if the account expands.
        trajectory: Shape (n, classes), in the manifest's order.
        effects: Shape (n, columns), change of the outcome's probability by taking the action, in the manifest's order.
        effect_errors: Shape (n, columns), their standard errors.
        winback: Shape (n, horizons), probability of coming back by each horizon, of accounts that have left; of others
            it says nothing. None if it was not asked for or the bundle has none.
        winback_low: Lower ends of its intervals, of its shape; None unless both it and intervals were asked for, and
            the bundle has them.
        winback_high: Upper ends likewise.
    """

    probabilities: dict[str, NDArray[np.float64]]
    contributions: NDArray[np.float32] | None
    low: dict[str, NDArray[np.float64]] | None = None
    high: dict[str, NDArray[np.float64]] | None = None
    long_horizon: NDArray[np.float64] | None = None
    extra_mrr_ratio: NDArray[np.float64] | None = None
    trajectory: NDArray[np.float64] | None = None
    effects: NDArray[np.float64] | None = None
    effect_errors: NDArray[np.float64] | None = None
    winback: NDArray[np.float64] | None = None
    winback_low: NDArray[np.float64] | None = None
    winback_high: NDArray[np.float64] | None = None


def interval_outputs(manifest: Manifest) -> list[tuple[str, int]]:
    """Return name and columns of the outputs that `intervals` switches; none unless every head has an interval."""
    found = [
        (output, len(head.horizons_days))
        for head in manifest.heads
        for output in (head.low_output, head.high_output)
        if output is not None
    ]
    return found if len(found) == 2 * len(manifest.heads) else []


def outlook_outputs(manifest: Manifest) -> list[tuple[str, int]]:
    """Return name and columns of the outputs that `outlook` switches."""
    found = [(part.output, 1) for part in (manifest.long_horizon, manifest.amount) if part is not None]
    if manifest.trajectory is not None:
        found.append((manifest.trajectory.output, len(manifest.trajectory.classes)))
    if manifest.effects is not None:
        width = len(manifest.effects.columns)
        found += [(manifest.effects.output, width), (manifest.effects.errors_output, width)]
    return found


def winback_outputs(manifest: Manifest) -> list[tuple[str, int]]:
    """Return name and columns of the output of accounts that have left; none if the bundle has none."""
    told = manifest.winback
    return [] if told is None else [(told.head.output, len(told.head.horizons_days))]


def winback_interval_outputs(manifest: Manifest) -> list[tuple[str, int]]:
    """Return name and columns of the ends of intervals of accounts that have left, the lower ones first; or none."""
    head = None if manifest.winback is None else manifest.winback.head
    if head is None or head.low_output is None or head.high_output is None:
        return []
    return [(output, len(head.horizons_days)) for output in (head.low_output, head.high_output)]


def contributions_output(manifest: Manifest) -> str:
    """Return the name of the output with contributions.

    Raises:
        BundleError: The score head has none.
    """
    name = manifest.head(manifest.score_head).contributions_output
    if name is None:
        raise BundleError(
            f"head {manifest.score_head!r} has no contributions output; the bundle can't give reasons"
        )
    return name
