"""What the effects of a bundle rest on, told again where a bundle of an earlier release could not say it.

Before there was the word `blend`, an effect counted as `uplift` as soon as draws were enough to measure something, also
where they weigh a few percent next to its prior. How much they weigh stands in the same manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.bundle.manifest import is_learnt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.bundle.manifest import Effect, Manifest


def with_bases_told(manifest: Manifest) -> Manifest:
    """Return *manifest* with `blend` where it says `uplift` of an effect that rests on its prior more than on draws.

    Where the report says nothing of an effect, its basis stays as it is. Bundles of this release come back unchanged.

    Args:
        manifest: Of any release.
    """
    effects = manifest.effects
    if effects is None:
        return manifest
    outcomes = (manifest.metrics.get("uplift") or {}).get("outcomes") or {}
    columns = tuple(_told(one, outcomes) for one in effects.columns)
    if columns == effects.columns:
        return manifest
    return manifest.model_copy(update={"effects": effects.model_copy(update={"columns": columns})})


def _told(column: Effect, outcomes: Mapping[str, Any]) -> Effect:
    report = (outcomes.get(column.outcome) or {}).get("actions") or {}
    shipped = (report.get(column.action) or {}).get("shipped") or {}
    known = {"measured", "weight_of_draws", "slope"} <= shipped.keys()
    if column.basis != "uplift" or not known or is_learnt(shipped):
        return column
    return column.model_copy(update={"basis": "blend"})
