"""Tells of which views an account has a row that says nothing, though the models learnt to expect something of it.

The feature pipeline stamps a row of every view for every account and day, so a source that stopped (or never came)
leaves rows whose features are all null. Whether that is a lack depends on training: where a company has no ticket
system at all, the models were trained without tickets, and where many accounts lawfully have nothing in a view, they
know what nothing means. The manifest tells, by view, how often all of it was null (`null_views`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract

ORDINARY_SHARE: Final = 0.05
"""A view of which more than this share of the training rows was null throughout is no lack where it is null."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedViews:
    """The views that should say something of every account, v of them, and where their features stand.

    Attributes:
        names: Their names, in the contract's order.
        order: Columns of the matrix by view; None if they stand so already.
        starts: Shape (g,), where each group of columns begins; a group is a view, expected or not.
        bits: Shape (g,), the bit that stands for each group in a row's code: `1 << place in names`; 0 if not expected.
        spans: Of each expected view its bit, its first column of the matrix, and the others.
    """

    names: tuple[str, ...]
    order: NDArray[np.intp] | None
    starts: NDArray[np.intp]
    bits: NDArray[np.int64]
    spans: tuple[tuple[int, int, tuple[int, ...]], ...]

    @classmethod
    def of(cls, contract: FeatureContract, null_shares: Mapping[str, float] | None) -> ExpectedViews | None:
        """Return the views to expect, or None if there are none or the bundle does not tell.

        Args:
            contract: Views and features.
            null_shares: By view, the share of training rows in which all its model features were null.
        """
        shares = {} if null_shares is None else null_shares
        of_column = [feature.view for feature in contract.model_features]
        groups = [view.name for view in contract.views if view.name in of_column]
        names = tuple([name for name in groups if shares.get(name, 1.0) <= ORDINARY_SHARE])
        if not names:
            return None
        place = np.array([groups.index(view) for view in of_column])
        order = np.argsort(place, kind="stable")
        bits = {name: 1 << position for position, name in enumerate(names)}
        columns = {name: np.flatnonzero(np.array(of_column) == name).tolist() for name in names}
        return cls(
            names=names,
            order=None if (order == np.arange(len(order))).all() else order,
            starts=np.searchsorted(place[order], np.arange(len(groups))),
            bits=np.array([bits.get(name, 0) for name in groups]),
            spans=tuple((bit, columns[name][0], tuple(columns[name][1:])) for name, bit in bits.items()),
        )

    def codes(self, matrix: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return for each of n rows which expected views are null throughout: the sum of their bits, 0 if none is.

        Args:
            matrix: Float64, shape (n, model features), missing is NaN.
        """
        null = np.isnan(matrix if self.order is None else matrix[:, self.order])
        found: NDArray[np.int64] = np.logical_and.reduceat(null, self.starts, axis=1).dot(self.bits)
        return found

    def code(self, item: Callable[[int], float]) -> int:
        """Return the code of one row whose numbers *item* gives; few are looked at, and no array is made."""
        code = 0
        for bit, first, others in self.spans:
            value = item(first)
            if value == value:  # noqa: PLR0124 -- only NaN differs from itself
                continue
            for other in others:
                value = item(other)
                if value == value:  # noqa: PLR0124 -- likewise
                    break
            else:
                code += bit
        return code

    def named(self, code: int) -> tuple[str, ...]:
        """Return the names of the views that *code* stands for."""
        return tuple([name for place, name in enumerate(self.names) if code >> place & 1])
