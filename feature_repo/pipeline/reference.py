"""The reference page of all features, made from `VIEWS`, so that it can't say anything else than the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_repo.pipeline.views import ALL_VIEWS, OPT_IN_VIEWS, VIEWS

if TYPE_CHECKING:
    from feature_repo.pipeline.spec import ViewSpec

HEAD = """# Features

Made from the code by `keepgrow features reference`; do not edit by hand.

One row is one account and day. It carries `account_id`, `event_timestamp` (the end of that day, UTC),
`created` (when the row was computed) and the features below. A row uses only what was known before its
`event_timestamp`.

An account has rows from its creation (or its first subscription, whichever came first) until 365 days after
its last paid subscription ended, and until 60 days after its start or its last trial if it never paid. A count
is zero on a day without a row only once the account has reported that metric; before, it is null. Levels keep
their last value. Tickets, invoices and touches that are not there count as zero.

Features with the role `model` may enter a model; those with the role `policy` are read by decisions only; those with
the role `offline` are for analysis, and are not served.

Views marked *opt-in* are made where their table is there, and models learn from them only if their training asks for
them (`keepgrow train --with-views`, see [Opt-in views](../how-to/opt-in-views.md)).
"""


def reference_page() -> str:
    """Return `docs/reference/features.md`."""
    number, more = (sum(len(view.features) for view in views) for views in (VIEWS, OPT_IN_VIEWS))
    counted = f"{number} features in {len(VIEWS)} views, and {more} in {len(OPT_IN_VIEWS)} opt-in views.\n"
    parts = [HEAD, counted, *(_section(view) for view in ALL_VIEWS)]
    return "\n".join(parts)


def _made_from(view: ViewSpec) -> str:
    tables = ", ".join(f"`{name}`" for name in view.tables)
    if not view.views:
        return f"Made from {tables}."
    return f"Made from the views {', '.join(f'`{name}`' for name in view.views)}, and so from {tables}."


def _section(view: ViewSpec) -> str:
    lines = [
        f"## {view.name}{' (opt-in)' if view in OPT_IN_VIEWS else ''}\n",
        f"{view.description}\n",
        (f"Owner: {view.owner}. Stale after {view.freshness_days} days. {_made_from(view)}\n"),
        "| feature | type | role | signal | meaning |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{feature.name}` | {feature.dtype} | {feature.role} | {feature.signal} | {feature.description} |"
        for feature in view.features
    ]
    return "\n".join(lines) + "\n"
