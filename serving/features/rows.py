"""Features of some accounts as the rest of serving sees them, wherever they were read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

ContextValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Features of n accounts.

    Attributes:
        account_ids: The accounts, n of them, in the order in which they were asked for.
        known: Shape (n,), whether the store holds anything of the account.
        matrix: Shape (n, model features), float64, columns in the order of `contract.model_features`; missing
            is NaN, a bool is 0 or 1, a string is encoded as the manifest says.
        as_of: Shape (n, views), the event time of each view's row in epoch seconds, NaN where there is none;
            columns in the order of `contract.views`.
        context: n dictionaries: every `policy` feature and every string feature by name, None where missing.
    """

    account_ids: tuple[str, ...]
    known: NDArray[np.bool_]
    matrix: NDArray[np.float64]
    as_of: NDArray[np.float64]
    context: Sequence[dict[str, ContextValue]]
