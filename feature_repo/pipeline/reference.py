"""The reference page of all features, made from `VIEWS`, so that it can't say anything else than the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_repo.pipeline.views import VIEWS

if TYPE_CHECKING:
    from feature_repo.pipeline.spec import ViewSpec

HEAD = """# Features

Made from the code by `keepgrow features reference`; do not edit by hand.

One row is one account and day. It carries `account_id`, `event_timestamp` (the end of that day, UTC),
`created` (when the row was computed) and the features below. A row uses only what was known before its
`event_timestamp`.

An account has rows from its creation (or its first subscription, whichever came first) until 60 days after
its last subscription ended. A count is zero on a day without a row only once the account has reported that
metric; before, it is null. Levels keep their last value. Tickets, invoices and touches that are not there
count as zero.

Features with the role `model` may enter a model; those with the role `policy` are read by decisions only; those with
the role `offline` are for analysis, and are not served.
"""


def reference_page() -> str:
    """Return `docs/reference/features.md`."""
    number = sum(len(view.features) for view in VIEWS)
    parts = [HEAD, f"{number} features in {len(VIEWS)} views.\n", *(_section(view) for view in VIEWS)]
    return "\n".join(parts)


def _made_from(view: ViewSpec) -> str:
    tables = ", ".join(f"`{name}`" for name in view.tables)
    if not view.views:
        return f"Made from {tables}."
    return f"Made from the views {', '.join(f'`{name}`' for name in view.views)}, and so from {tables}."


def _section(view: ViewSpec) -> str:
    lines = [
        f"## {view.name}\n",
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
