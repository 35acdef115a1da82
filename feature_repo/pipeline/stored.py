"""Rows of views that a build has just written, as input of the views made from them.

An edge of the build: it knows the month files, so that `derived` and the expressions need not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.computed import ComputedRows
from feature_repo.pipeline.derived import DERIVED, gathered
from feature_repo.pipeline.frame import date_of, day_number, day_of_row, make_spine
from feature_repo.pipeline.month_files import month_of, schema_of
from feature_repo.pipeline.views import view

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import ibis.expr.types as ir

    from feature_repo.pipeline.frame import Frame
    from feature_repo.pipeline.source import Source
    from feature_repo.pipeline.spec import ViewSpec
    from feature_repo.pipeline.state import ViewState


@dataclass(slots=True)
class StoredRows:
    """Stored rows that one view needs, staged once and then read block by block.

    Attributes:
        source: The build's source; its engine holds what is staged.
        out: The features' folder.
        view: The view that is made.
    """

    source: Source
    out: Path
    view: str
    _staged: dict[str, ir.Table] = field(default_factory=dict)

    def of_accounts(self, block: int, frame: Frame) -> ir.Table:
        """Return what the accounts of one block need, from the view's lookback on."""
        derived = DERIVED[self.view]
        since = frame.first - derived.lookback
        spine = make_spine(frame.tables["accounts"], frame.tables["subscriptions"], since, frame.last)

        def rows_of(name: str, features: tuple[str, ...]) -> ir.Table:
            if self.source.blocks == 1:
                return self._read(name, features, since, frame.last)
            if name not in self._staged:
                rows = self._read(name, features, since, frame.last)
                self._staged[name] = self.source.staged(f"{self.view}_needs_{name}", rows, self.source.blocks)
            staged = self._staged[name]
            return staged.filter(staged["account_block"] == block).drop("account_block")

        return self.kept(derived.reduced(gathered(spine, derived.needs, rows_of)))

    def computed(self, spec: ViewSpec, frame: Frame) -> ir.Table | None:
        """Return the same, computed from the raw tables of the frame's accounts."""
        rows = ComputedRows(self.source.con)
        inputs = rows.inputs(spec, frame)
        kept = None if inputs is None else self.kept(inputs)
        rows.drop()
        return kept

    def kept(self, inputs: ir.Table) -> ir.Table:
        """Return *inputs* as a temporary table, in place of the one kept before."""
        name = f"inputs_of_{self.view}"
        self.source.con.con.execute(f'DROP TABLE IF EXISTS "{name}"')
        return self.source.con.create_table(name, inputs, temp=True)

    def of_days(self, frame: Frame) -> ir.Table:
        """Return what all accounts need on the days of *frame*."""
        derived = DERIVED[self.view]
        rows = gathered(
            frame.spine,
            derived.needs,
            lambda name, features: self._read(name, features, frame.first, frame.last),
        )
        return self.kept(derived.reduced(rows))

    def _read(self, name: str, features: tuple[str, ...], first: int, last: int) -> ir.Table:
        folder = self.out / name
        months = (month_of(date_of(first)), month_of(date_of(last)))
        files = sorted(str(file) for file in folder.glob("*.parquet") if months[0] <= file.stem <= months[1])
        rows = (
            self.source.con.read_parquet(files)
            if files
            else ibis.memtable(schema_of(view(name)).empty_table())
        )
        day = day_of_row(rows["event_timestamp"])
        rows = rows.select("account_id", *features, day=day)
        return rows.filter(rows["day"].between(first, last))


def reach_back(source: Source, views: Mapping[str, ViewState], name: str, first: int) -> bool:
    """Say whether the stored rows reach back as far as *view* needs them.

    Args:
        source: The build's source.
        views: What is stored, by view.
        name: The view that is made.
        first: Day number of the first day to make.
    """
    since = max(first - DERIVED[name].lookback, day_number(source.first))
    return all(day_number(views[need].first) <= since for need in DERIVED[name].needs)
