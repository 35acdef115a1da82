"""One account of several."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.features.rows import FeatureRows


def one_of(rows: FeatureRows, index: int) -> FeatureRows:
    """Return the rows of one account."""
    part = slice(index, index + 1)
    return dataclasses.replace(
        rows,
        account_ids=rows.account_ids[part],
        known=rows.known[part],
        matrix=rows.matrix[part],
        as_of=rows.as_of[part],
        context=rows.context[part],
    )
