"""The expression of every view, and the one way in which a view's features become its output rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline import (
    adoption,
    commercial,
    engagement,
    external,
    health,
    peers,
    procurement,
    profile,
    sentiment,
    usage,
)
from feature_repo.pipeline.derived import DERIVED
from feature_repo.pipeline.frame import Frame, attach

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    import ibis.expr.types as ir

    from feature_repo.pipeline.spec import ViewSpec

EXPRESSIONS: Mapping[str, Callable[[Frame], ir.Table]] = {
    "usage": usage.expression,
    "adoption": adoption.expression,
    "sentiment": sentiment.expression,
    "commercial": commercial.expression,
    "engagement": engagement.expression,
    "profile": profile.expression,
    "procurement": procurement.expression,
    "external": external.expression,
}
"""Views made from raw tables; those made from other views stand in `derived`."""

LOST: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "usage": usage.LOST,
    "adoption": adoption.LOST,
    "sentiment": sentiment.LOST,
    "commercial": commercial.LOST,
    "engagement": engagement.LOST,
    "profile": profile.LOST,
    "health": health.LOST,
    "peers": peers.LOST,
    "procurement": procurement.LOST,
    "external": external.LOST,
}
"""By view and raw table: the features that are null if the table is absent."""

IBIS_TYPES = {"Float64": "float64", "Int64": "int64", "String": "string", "Bool": "boolean"}


def view_rows(spec: ViewSpec, frame: Frame, created: dt.datetime, inputs: ir.Table | None = None) -> ir.Table:
    """Return the view's rows: one an account and day of the frame's spine, in the types and order of *spec*.

    Args:
        spec: The view.
        frame: Its input.
        created: When the rows are computed; a constant column for provenance, with a time zone.
        inputs: For a view made from others: what `Derived.reduced` makes of their rows, from the view's lookback
            on.

    Raises:
        ValueError: *inputs* are not given for such a view.
    """
    rows = view_features(spec, frame, inputs)
    end_of_day = ((rows["day"] + 1) * 86_400).as_timestamp("s")
    return rows.select(
        "account_id",
        event_timestamp=end_of_day.cast("timestamp('UTC', 6)"),
        created=ibis.literal(created.isoformat()).cast("timestamp('UTC', 6)"),
        **{feature.name: rows[feature.name] for feature in spec.features},
    )


def view_features(spec: ViewSpec, frame: Frame, inputs: ir.Table | None = None) -> ir.Table:
    """Return `account_id`, `day` and the view's features in their types; see `view_rows`."""
    if spec.name in DERIVED:
        derived = DERIVED[spec.name]
        if inputs is None:
            raise ValueError(f"the view {spec.name} is made from other views; give it their rows")
        features = derived.expression(frame, inputs)
    else:
        features = EXPRESSIONS[spec.name](frame)
    there = [feature.name for feature in spec.features if feature.name in features.columns]
    rows = attach(frame.spine, features.select("account_id", "day", *there)) if there else frame.spine
    columns = {
        feature.name: rows[feature.name].cast(IBIS_TYPES[feature.dtype])
        if feature.name in there
        else ibis.null(IBIS_TYPES[feature.dtype])
        for feature in spec.features
    }
    return rows.select("account_id", "day", **columns)
