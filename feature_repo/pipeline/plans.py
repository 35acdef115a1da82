"""Which days of which view have to be built, and why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_repo.pipeline.frame import day_number
from feature_repo.pipeline.inputs import first_changed_month
from feature_repo.pipeline.source import REQUIRED, Source
from feature_repo.pipeline.state import BuildState, ViewState, definition
from feature_repo.pipeline.views import built_views

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_repo.pipeline.spec import ViewSpec
    from feature_repo.sentiment.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Plan:
    """The days of one view to build, and why."""

    spec: ViewSpec
    first: dt.date | None
    reason: str
    begin: dt.date
    start: dt.date | None
    definition: str
    inputs: dict[str, dict[str, str]]


def make_plans(
    source: Source, state: BuildState, scorer: Scorer, start: dt.date | None, last: dt.date
) -> list[Plan]:
    """Decide for each view from which day on it must be built."""
    known: dict[tuple[str, dt.date], dict[str, str]] = {}

    def digests(table: str, day: dt.date) -> dict[str, str]:
        if (table, day) not in known:
            known[table, day] = source.digests(table, day_number(day))
        return known[table, day]

    plans: list[Plan] = []
    for spec in built_views(source.tables, state.views):
        tables = [name for name in dict.fromkeys((*REQUIRED, *spec.tables)) if name in source.tables]
        old = state.views.get(spec.name)
        meaning = definition(spec, scorer.version)
        behind = [plan for plan in plans if plan.spec.name in spec.views]
        asked = start or (
            old.start if old else max((plan.start for plan in behind if plan.start), default=None)
        )
        begin = asked or source.first
        begin = min(begin, old.first) if old else begin
        since, reason = _since(old, meaning, tables, begin=begin, last=last, digests=digests)
        covered = old.last if old is not None and since is None else last
        inputs = {name: digests(name, covered) for name in tables}
        plans.append(Plan(spec, since, reason, begin, asked, meaning, inputs))
    return plans


def _since(
    old: ViewState | None,
    meaning: str,
    tables: list[str],
    *,
    begin: dt.date,
    last: dt.date,
    digests: Callable[[str, dt.date], dict[str, str]],
) -> tuple[dt.date | None, str]:
    """Return the first day to build (None: nothing is new) and the reason."""
    if old is None:
        return begin, "first build"
    whole = _reason_for_all(old, meaning, tables, begin)
    if whole:
        return begin, whole
    months = {
        name: month
        for name in tables
        if (month := first_changed_month(old.inputs[name], digests(name, old.last))) is not None
    }
    since = max(begin, dt.date.fromisoformat(f"{min(months.values())}-01")) if months else None
    if since and since <= last:
        return since, f"rebuilt from {since}: {', '.join(sorted(months))} changed in the past"
    if last > old.last:
        days = (last - old.last).days
        return old.last + dt.timedelta(days=1), f"{days} more {'day' if days == 1 else 'days'}"
    return None, "nothing new"


def _reason_for_all(old: ViewState, meaning: str, tables: list[str], begin: dt.date) -> str:
    """Return why all days must be built again; empty if they need not be."""
    if old.definition != meaning:
        return "rebuilt: the view's definition changed"
    if begin < old.first:
        return f"rebuilt: days before {old.first} were asked for"
    if set(tables) != set(old.inputs):
        return f"rebuilt: {', '.join(sorted(set(tables) ^ set(old.inputs)))} came or went"
    return ""


def is_current(state: BuildState, scorer: Scorer, start: dt.date | None, end: dt.date) -> bool:
    """Say whether every view is built by the present code from *start* to *end*."""
    for spec in built_views((), state.views):
        view = state.views.get(spec.name)
        meaning = definition(spec, scorer.version)
        if view is None or view.definition != meaning or view.last < end or (start and start < view.first):
            return False
    return True
