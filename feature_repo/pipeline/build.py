"""The incremental build: raw tables in, one Parquet file a view and month out.

No feature of a day depends on what became known later, so what is built stays right as days are added. Only
three things make days be built again: a changed definition, a changed past, and an order to rebuild.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from feature_repo.errors import PipelineError
from feature_repo.pipeline.derived import DERIVED
from feature_repo.pipeline.expressions import LOST, view_rows
from feature_repo.pipeline.frame import date_of, day_number
from feature_repo.pipeline.inputs import READINGS, stamp
from feature_repo.pipeline.month_files import MonthFiles, end_of_day, month_of
from feature_repo.pipeline.plans import Plan, is_current, make_plans
from feature_repo.pipeline.report import BuildReport, ViewReport
from feature_repo.pipeline.source import Source, open_source
from feature_repo.pipeline.state import BuildState, ViewState, load_state, save_state
from feature_repo.pipeline.stored import StoredRows, reach_back
from feature_repo.pipeline.views import built_views
from feature_repo.sentiment.cache import scored_tickets
from feature_repo.sentiment.scorer import Scorer, configured_scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import ibis.expr.types as ir

    from feature_repo.pipeline.frame import Frame

GRID_ROWS = 2_500_000
"""Accounts are cut into blocks so that one block's accounts times days stays near this number."""
LONGEST_LOOKBACK = max(180, *(derived.lookback for derived in DERIVED.values()))
TICKETS = "support_tickets"


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for; see `build`."""

    data: Path
    out: Path
    created: dt.datetime
    start: dt.date | None
    end: dt.date | None
    scorer: Scorer
    grid_rows: int
    progress: Callable[[str, int, int], None] | None


def build(
    data: Path,
    out: Path,
    *,
    created: dt.datetime,
    start: dt.date | None = None,
    end: dt.date | None = None,
    rebuild: bool = False,
    scorer: Scorer | None = None,
    grid_rows: int = GRID_ROWS,
    progress: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Bring the feature tables in *out* up to the data in *data*.

    Args:
        data: A data folder.
        out: The features' folder; made if absent. Files are `VIEW/YYYY-MM.parquet`.
        created: Provenance time of the rows that are written now, with a time zone.
        start: First day to build; the first day with both accounts and usage if None.
        end: Last day to build; the last complete day of the data if None.
        rebuild: Build all days again, for instance after a correction of descriptive account columns.
        scorer: Scores ticket text; the configured one if None.
        grid_rows: Bound on accounts times days in memory at a time.
        progress: Called with a view's name, its blocks done, and its blocks in all.

    Returns:
        What was done, and which features are null for want of a table.

    Raises:
        DataFolderError: A raw table can't be read.
        PipelineError: A required table is absent, or the asked days lie outside the data.
    """
    out.mkdir(parents=True, exist_ok=True)
    with _only_build(out):
        scorer = scorer or configured_scorer()
        state = BuildState() if rebuild else load_state(out)
        now = stamp(data, READINGS)
        if state.stamp == now and state.end and is_current(state, scorer, start, end or state.end):
            return _nothing_new(state)
        try:
            order = _Order(data, out, created, start, end, scorer, grid_rows, progress)
            return _build(order, state, now)
        except duckdb.Error as error:
            raise PipelineError(
                f"{data}: features can't be computed: {str(error).splitlines()[0]}; "
                "`keepgrow check` names tables, columns and rows that break the contract"
            ) from error


def _build(order: _Order, state: BuildState, now: str) -> BuildReport:
    """Plan all views, build them one after the other, and record that everything is current."""
    data, scorer = order.data, order.scorer
    source = open_source(data)
    first, last = order.start or source.first, order.end or source.end
    if last > source.end:
        raise PipelineError(
            f"{data}: the data is complete until {source.end}, features to {last} were asked for"
        )
    if first > last:
        raise PipelineError(f"{data}: the first day, {first}, lies after the last, {last}")
    plans = make_plans(source, state, scorer, order.start, last)
    scored = 0
    if TICKETS in source.tables and any(plan.first for plan in plans if TICKETS in plan.spec.tables):
        source.tables[TICKETS], scored = scored_tickets(
            source.con, source.tables[TICKETS], order.out / "ticket_sentiment", scorer
        )
    earliest = min((plan.first for plan in plans if plan.first), default=last)
    grid = source.accounts * ((last - earliest).days + 1 + LONGEST_LOOKBACK)
    blocks = max(1, math.ceil(grid / order.grid_rows))
    if any(plan.first for plan in plans):
        source.block_into(blocks)
    reports = []
    for plan in plans:
        report, state = _build_view(source, order, state, plan, last=last, blocks=blocks)
        reports.append(report)
    save_state(state.model_copy(update={"stamp": now, "end": source.end}), order.out)
    built_to = min(view.last for view in state.views.values())
    return BuildReport(built_to, tuple(reports), _warnings(set(source.tables), state), scored)


def _build_view(
    source: Source, order: _Order, state: BuildState, plan: Plan, *, last: dt.date, blocks: int
) -> tuple[ViewReport, BuildState]:
    """Build the planned days of one view, and record them at once."""
    name, old = plan.spec.name, state.views.get(plan.spec.name)
    if plan.first is None:
        rows = old.rows if old else 0
        return ViewReport(name, plan.reason, None, None, 0, rows), state
    with MonthFiles(order.out, plan.spec, plan.first) as files:
        parts = _parts(source, order, state, plan, last=last, blocks=blocks)
        for number, (frame, inputs) in enumerate(parts, start=1):
            rows_of_part = view_rows(plan.spec, frame, order.created, inputs)
            _build_part(source, files, frame, rows_of_part)
            if order.progress:
                order.progress(name, number, len(parts))
        files.commit()
        new_rows = files.new_rows
    rows = _rows_on_disk(order.out, name)
    view = ViewState(
        first=plan.begin,
        start=plan.start,
        last=last,
        definition=plan.definition,
        inputs=plan.inputs,
        rows=rows,
    )
    state = state.model_copy(update={"views": {**state.views, name: view}, "stamp": ""})
    save_state(state, order.out)
    return ViewReport(name, plan.reason, plan.first, last, new_rows, rows), state


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts in which one view is built: blocks of accounts, or of days where it reads all accounts."""

    number: int
    part: Callable[[int], tuple[Frame, ir.Table | None]]

    def __len__(self) -> int:
        return self.number

    def __iter__(self) -> Iterator[tuple[Frame, ir.Table | None]]:
        return (self.part(number) for number in range(self.number))


def _parts(
    source: Source, order: _Order, state: BuildState, plan: Plan, *, last: dt.date, blocks: int
) -> _Parts:
    """Cut the planned days of one view into parts that fit the grid."""
    name = plan.spec.name
    first_day, last_day = day_number(plan.first or last), day_number(last)
    if name not in DERIVED:
        return _Parts(blocks, lambda block: (source.frame(block, first_day, last_day), None))
    stored = StoredRows(source, order.out, name)
    if DERIVED[name].population:
        step = max(1, order.grid_rows // source.accounts)

        def days(number: int) -> tuple[Frame, ir.Table | None]:
            since = first_day + number * step
            frame = source.population(since, min(since + step - 1, last_day))
            return frame, stored.of_days(frame)

        return _Parts(math.ceil((last_day - first_day + 1) / step), days)
    from_files = reach_back(source, state.views, name, first_day)

    def accounts(block: int) -> tuple[Frame, ir.Table | None]:
        frame = source.frame(block, first_day, last_day)
        return frame, stored.of_accounts(block, frame) if from_files else stored.computed(plan.spec, frame)

    return _Parts(blocks, accounts)


def _build_part(source: Source, files: MonthFiles, frame: Frame, rows: ir.Table) -> None:
    """Compute one part and hand its rows to the month files."""
    first, last = date_of(frame.first), date_of(frame.last)
    made = source.con.create_table("made", rows, temp=True)
    try:
        month = first
        while month <= last:
            following = (month.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
            until = min(following - dt.timedelta(days=1), last)
            chosen = made.filter(made["event_timestamp"].between(end_of_day(month), end_of_day(until)))
            files.add(month_of(month), chosen.order_by("account_id", "event_timestamp").to_pyarrow())
            month = following
    finally:
        source.con.con.execute("DROP TABLE made")


def _nothing_new(state: BuildState) -> BuildReport:
    views = tuple(
        ViewReport(spec.name, "nothing new", None, None, 0, state.views[spec.name].rows)
        for spec in built_views((), state.views)
    )
    there = {name for view in state.views.values() for name in view.inputs}
    return BuildReport(min(view.last for view in state.views.values()), views, _warnings(there, state))


def _warnings(there: set[str], state: BuildState) -> tuple[str, ...]:
    """Return one sentence for each absent table and view that loses features by it."""
    return tuple(
        f"table {table!r} is absent: in view {view!r}, {', '.join(features)} "
        f"{'is' if len(features) == 1 else 'are'} null"
        for view, tables in LOST.items()
        if view in state.views
        for table, features in tables.items()
        if table not in there
    )


def _rows_on_disk(out: Path, view: str) -> int:
    return sum(pq.read_metadata(file).num_rows for file in (out / view).glob("*.parquet"))


@contextmanager
def _only_build(out: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two builds never write the same files."""
    with (out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PipelineError(f"{out}: another build is writing here; wait for it to end") from error
        yield
