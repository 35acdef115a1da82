"""Views that are made from the rows of other views, and where those rows come from.

A build reads them from the files that it has just brought up to date (`stored`). Where these do not reach back far
enough they are computed from the raw tables (`computed`), to the same values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_repo.pipeline import health, peers
from feature_repo.pipeline.frame import attach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import ibis.expr.types as ir

    from feature_repo.pipeline.frame import Frame


@dataclass(frozen=True, slots=True)
class Derived:
    """How a view is made from other views' rows.

    Attributes:
        needs: By view: the features that are read.
        lookback: Days before the first day to make that are read.
        reduced: Takes one table of `account_id`, `day` and what is needed; returns the few columns that the
            expression reads, and reads several times. A build keeps them aside.
        expression: Takes the frame and those columns; returns features.
        population: Whether it reads rows of other accounts. Such a view needs no earlier days, and is built
            in blocks of days rather than of accounts.
    """

    needs: Mapping[str, tuple[str, ...]]
    lookback: int
    reduced: Callable[[ir.Table], ir.Table]
    expression: Callable[[Frame, ir.Table], ir.Table]
    population: bool = False


DERIVED: Mapping[str, Derived] = {
    "health": Derived(health.NEEDS, health.LOOKBACK, health.scored, health.expression),
    "peers": Derived(peers.NEEDS, peers.LOOKBACK, peers.compared, peers.expression, population=True),
}


def gathered(
    spine: ir.Table, needs: Mapping[str, tuple[str, ...]], rows_of: Callable[[str, tuple[str, ...]], ir.Table]
) -> ir.Table:
    """Return *spine* with the needed features of all views beside each other.

    Args:
        spine: `account_id`, `day`.
        needs: By view: the features that are read.
        rows_of: Returns `account_id`, `day` and the named features of a view.
    """
    table = spine
    for name, features in needs.items():
        table = attach(table, rows_of(name, features))
    return table
