"""What a view made from others needs, computed from the raw tables where no stored rows reach back far enough.

Each view is computed once a frame and kept aside in the engine: as one expression, views within views would be
planned and computed many times over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from feature_repo.pipeline.derived import DERIVED, gathered
from feature_repo.pipeline.expressions import view_features
from feature_repo.pipeline.views import view

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend

    from feature_repo.pipeline.frame import Frame
    from feature_repo.pipeline.spec import ViewSpec


@dataclass(slots=True)
class ComputedRows:
    """Rows of views over one set of accounts, computed from the raw tables.

    Attributes:
        con: The engine, which holds what is kept aside until `drop`.
    """

    con: Backend
    _kept: dict[tuple[str, int], ir.Table] = field(default_factory=dict)

    def inputs(self, spec: ViewSpec, frame: Frame) -> ir.Table | None:
        """Return the inputs of *spec* for `view_rows`; None if it is made from raw tables only."""
        if spec.name not in DERIVED:
            return None
        derived = DERIVED[spec.name]
        earlier = frame.earlier(derived.lookback) if derived.lookback else frame

        def rows_of(name: str, features: tuple[str, ...]) -> ir.Table:
            return self._view(view(name), earlier).select("account_id", "day", *features)

        return derived.reduced(gathered(earlier.spine, derived.needs, rows_of))

    def drop(self) -> None:
        """Drop what was kept aside."""
        for number in range(len(self._kept)):
            self.con.con.execute(f"DROP TABLE {self._name(number)}")
        self._kept.clear()

    def _name(self, number: int) -> str:
        return f"computed_{id(self)}_{number}"

    def _view(self, spec: ViewSpec, frame: Frame) -> ir.Table:
        key = (spec.name, frame.first)
        if key not in self._kept:
            inputs = self.inputs(spec, frame)
            name = self._name(len(self._kept))
            self._kept[key] = self.con.create_table(name, view_features(spec, frame, inputs), temp=True)
        return self._kept[key]
