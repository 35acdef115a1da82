"""What a build did, view by view, and what the data lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What was done for one view.

    Attributes:
        name: The view.
        reason: Why days were built, or that nothing was new.
        first_built: First day built now, None if none was.
        last_built: Last day built now, None if none was.
        new_rows: Rows written for those days.
        rows: Rows on disk afterwards.
    """

    name: str
    reason: str
    first_built: dt.date | None
    last_built: dt.date | None
    new_rows: int
    rows: int


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        end: Last day for which features are there.
        views: One report a view, in the views' order.
        warnings: Sentences about tables that are absent, and the features that are null for it.
        tickets_scored: Tickets whose text was scored now.
    """

    end: dt.date
    views: tuple[ViewReport, ...]
    warnings: tuple[str, ...]
    tickets_scored: int = 0

    @property
    def new_rows(self) -> int:
        """Rows written now, over all views."""
        return sum(view.new_rows for view in self.views)
