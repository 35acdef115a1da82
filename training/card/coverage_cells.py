"""Coverage of intervals on test rows as cells of a table, the same for every head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.sections import leaf_text

if TYPE_CHECKING:
    from collections.abc import Mapping

COVERAGE_HEADER = ("nominal", "groups held", "with their scatter", "mean squared residual", "mean width")


def coverage_cells(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells under `COVERAGE_HEADER` of one horizon's *figures*, as `interval_report` tells them."""
    return (
        f"{figures['nominal']:.0%}",
        f"{figures['plain']:.0%}",
        f"{figures['with_sampling']:.0%}",
        _residuals(figures.get("residuals")),
        leaf_text(figures["mean_width"]),
    )


def _residuals(found: Mapping[str, Any] | None) -> str:
    if not found:
        return "-"
    return f"{found['mean_square']:.2f} ({found['least']:.2f} to {found['most']:.2f})"
