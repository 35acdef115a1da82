"""Small raw-table worlds for the pipeline's tests: random ones, and a way to change what lies after a day."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.pipeline.computed import ComputedRows
from feature_repo.pipeline.expressions import EXPRESSIONS, view_rows
from feature_repo.pipeline.frame import day_number
from feature_repo.pipeline.inputs import READINGS
from feature_repo.pipeline.source import open_source
from feature_repo.pipeline.views import ALL_VIEWS
from feature_repo.tables import table
from feature_repo.tables.contract import Kind
from feature_repo.tables.external_signals import KINDS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from pathlib import Path

Row = dict[str, Any]
World = dict[str, list[Row]]

ORIGIN = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
CREATED = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
ACCOUNTS = ("Acme", "acme", "🦊 GmbH", "a b'\"c", "ünïcode", *(f"plain-{number}" for number in range(15)))
ARROW = {
    Kind.STRING: pa.string(),
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOL: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.timestamp("us", "UTC"),
}


def day(number: int) -> dt.date:
    """Return day *number* of the test calendar, which begins with 0."""
    return (ORIGIN + dt.timedelta(days=number)).date()


def time(number: float) -> dt.datetime:
    """Return the time *number* days after the beginning of the test calendar."""
    return ORIGIN + dt.timedelta(seconds=round(number * 86_400))


def write(world: World, folder: Path, end: int) -> Path:
    """Write *world* as Parquet with day *end* as the last complete day."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in world.items():
        schema = pa.schema([(column.name, ARROW[column.kind]) for column in table(name).columns])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"{name}.parquet")
    (folder / "dataset.yaml").write_text(f"end_day: {day(end)}\n", encoding="utf-8")
    return folder


def features(folder: Path, first: int, last: int, views: Iterable[str] | None = None) -> dict[str, list[Row]]:
    """Return the rows of each view for the days *first* to *last*, in order of account and time.

    Without *views*: of all that are made from raw tables alone.
    """
    source = open_source(folder)
    frame = source.frame(0, day_number(day(first)), day_number(day(last)))
    wanted = set(views) if views else set(EXPRESSIONS)
    computed = ComputedRows(source.con)
    return {
        spec.name: view_rows(spec, frame, CREATED, computed.inputs(spec, frame))
        .order_by("account_id", "event_timestamp")
        .to_pyarrow()
        .to_pylist()
        for spec in ALL_VIEWS
        if spec.name in wanted
    }


def random_world(rng: random.Random, days: int) -> World:
    """Return a world of a few accounts with all tables, gaps and late knowledge in it."""
    number = rng.randint(3, len(ACCOUNTS))
    names = list(ACCOUNTS[:number])
    starts = {name: rng.randint(0, days // 2) for name in names}
    world: World = {name: [] for name in READINGS}
    for name in names:
        world["accounts"].append(_account(rng, name, starts[name], days))
        world["subscriptions"] += _subscriptions(rng, name, starts[name], days)
        for metric in ("logins", "active_users", "api_calls", "events", "storage_gb", "invites"):
            if rng.random() < 0.8:
                since, density = rng.randint(0, days), rng.choice((0.1, 0.6, 1.0))
                world["usage_daily"] += [
                    {
                        "account_id": name,
                        "day": day(d),
                        "metric": metric,
                        "value": rng.choice((0.0, 1.0, 2.5, 17.3)),
                    }
                    for d in range(since, days)
                    if rng.random() < density
                ]
        for feature in ("a", "b", "c"):
            density = rng.choice((0.01, 0.05, 0.5))
            world["feature_usage"] += [
                _use(rng, name, d, feature) for d in range(days) if rng.random() < density
            ]
    for table_name, make, most in (
        ("support_tickets", _ticket, 90),
        ("invoices", _invoice, 60),
        ("engagements", _engagement, 120),
        ("incidents", _incident, 8),
        ("procurement_updates", _procurement_update, 60),
        ("external_signals", _external_signal, 40),
    ):
        for key in range(rng.randint(0, most)):
            world[table_name].append(make(rng, names, key, days))
    return world


def altered_after(world: World, last: int, rng: random.Random, days: int) -> World:
    """Return *world* with everything that became known after day *last* dropped, changed or added to."""
    cut = time(last + 1)
    other = random_world(rng, days)
    result: World = {}
    for name, rows in world.items():
        time_column, key = READINGS[name].time, table(name).key
        kept = [dict(row) for row in rows if not _after(row[time_column], cut) or rng.random() < 0.3]
        for row in kept:
            _alter(rng, name, row, cut)
        taken = {tuple(row[column] for column in key) for row in rows}
        for row in other[name]:
            fresh = dict(row)
            if len(key) == 1 and name != "accounts":
                fresh[key[0]] = f"new-{fresh[key[0]]}"
            if _after(fresh[time_column], cut) and tuple(fresh[column] for column in key) not in taken:
                kept.append(fresh)
        result[name] = kept
    return result


def _alter(rng: random.Random, name: str, row: Row, cut: dt.datetime) -> None:
    """Change what became known about one row at *cut* or later."""
    reading = READINGS[name]
    if _after(row[reading.time], cut):
        _change(rng, row, reading.columns, table(name).key)
    for group in reading.later:
        if row.get(group[0]) is None or _after(row[group[0]], cut):
            row[group[0]] = rng.choice((None, cut, cut + dt.timedelta(days=rng.random() * 50)))
            for column in group[1:]:
                row[column] = {"escalated": True, "csat": 1.0, "attempts": 4, "end_reason": "nonpayment"}[
                    column
                ]


def _after(value: dt.date | dt.datetime, cut: dt.datetime) -> bool:
    return value >= cut if isinstance(value, dt.datetime) else value >= cut.date()


def _change(rng: random.Random, row: Row, columns: tuple[str, ...], key: tuple[str, ...]) -> None:
    """Change the numbers of a row that nobody may have seen."""
    for column in columns:
        if column not in key and isinstance(row.get(column), float):
            row[column] = abs(row[column] * 3 + rng.random()) if column != "sentiment" else -1.0


def _account(rng: random.Random, name: str, start: int, days: int) -> Row:
    return {
        "account_id": name,
        "created_at": time(start + rng.random()),
        "segment": rng.choice(("smb", None)),
        "region": rng.choice(("eu", "us")),
        "employees": rng.randint(1, 9),
        "onboarded_at": rng.choice((None, time(rng.uniform(start, days)))),
        "consent_email": True,
    }


def _subscriptions(rng: random.Random, name: str, start: int, days: int) -> list[Row]:
    rows, begin = [], start + rng.choice((-3.0, 0.0, 0.5, 20.0))
    while begin < days:
        # Whole days put ends and beginnings exactly on midnight, where a cut-off is easiest to get wrong.
        end = begin + rng.choice((7, 30, 30.25, 90))
        running = rng.random() < 0.15
        rows.append(
            {
                "subscription_id": f"{name}-{len(rows)}",
                "account_id": name,
                "plan": rng.choice(("basic", "pro")),
                "seats": rng.randint(0, 20),
                "mrr": rng.choice((0.0, 49.99, 1234.56)),
                "started_at": time(begin),
                "term_end_at": rng.choice((None, time(begin + 30))),
                "ended_at": None if running else time(end),
                "end_reason": None if running else rng.choice(("voluntary", "upgrade", "nonpayment")),
                "list_mrr": rng.choice((None, 1500.0)),
                "api_calls_limit_per_month": rng.choice((None, 100.0)),
                "storage_limit_gb": 20.0,
                "features_available": rng.choice((None, 5)),
            }
        )
        if running:
            break
        begin = end + rng.choice((0, 0, -5, 10, 80))
    return rows


def _use(rng: random.Random, name: str, number: int, feature: str) -> Row:
    return {
        "account_id": name,
        "day": day(number),
        "feature_key": feature,
        "count": rng.randint(0, 3),
        "errors": rng.choice((None, 0, 1)),
        "feature_tier": rng.choice((None, "core", "advanced")),
    }


def _ticket(rng: random.Random, names: list[str], key: int, days: int) -> Row:
    opened = rng.uniform(0, days)
    answered = opened + rng.uniform(0, 3) if rng.random() < 0.8 else None
    closed = opened + rng.uniform(3, 40) if rng.random() < 0.8 else None
    return {
        "ticket_id": f"t{key}",
        "account_id": rng.choice(names),
        "opened_at": time(opened),
        "first_response_at": None if answered is None else time(answered),
        "closed_at": None if closed is None else time(closed),
        "priority": rng.choice(("low", "urgent", None)),
        "is_complaint": rng.choice((True, False, None)),
        "escalated": None if closed is None else rng.choice((True, False)),
        "csat": None if closed is None else rng.choice((1.0, 4.0, 4.5)),
        "sentiment": rng.choice((None, -0.7, 0.123456, 1.0)),
        "text": None,
    }


def _invoice(rng: random.Random, names: list[str], key: int, days: int) -> Row:
    issued = rng.uniform(0, days)
    due = issued + rng.choice((0.0, 14.0))
    return {
        "invoice_id": f"i{key}",
        "account_id": rng.choice(names),
        "issued_at": time(issued),
        "due_at": time(due),
        "paid_at": time(max(issued, due + rng.uniform(-10, 40))) if rng.random() < 0.7 else None,
        "amount": 10.0,
        "disputed_at": time(issued + rng.uniform(0, 20)) if rng.random() < 0.3 else None,
        "attempts": rng.choice((None, 0, 1, 3)),
    }


def _engagement(rng: random.Random, names: list[str], key: int, days: int) -> Row:
    kind = rng.choice(
        (
            "email_sent",
            "email_opened",
            "email_clicked",
            "call",
            "meeting",
            "training_completed",
            "sponsor_contact",
            "nps",
            "unsubscribed",
        )
    )
    return {
        "engagement_id": f"e{key}",
        "account_id": rng.choice(names),
        "occurred_at": time(rng.uniform(0, days)),
        "kind": kind,
        "score": float(rng.randint(0, 10)) if kind == "nps" else None,
        "person_id": rng.choice((None, "p1", "p2", "p3")),
    }


def _incident(rng: random.Random, names: list[str], key: int, days: int) -> Row:
    scope = rng.choice(("all", "region", "account"))
    begun = rng.uniform(0, days)
    return {
        "incident_id": f"x{key}",
        "started_at": time(begun),
        "ended_at": time(begun + rng.choice((0.1, 2, 30))) if rng.random() < 0.8 else None,
        "scope": scope,
        "scope_id": {"all": None, "region": "eu", "account": rng.choice(names)}[scope],
    }


def _procurement_update(rng: random.Random, names: list[str], key: int, days: int) -> Row:
    return {
        "update_id": f"u{key}",
        "account_id": rng.choice(names),
        # Whole days make updates of one account and one time, of which the larger id counts.
        "known_at": time(rng.choice((rng.uniform(0, days), rng.randint(0, days // 10) * 10))),
        "stage": rng.choice((None, "evaluation", "negotiation", "ordered")),
        "approval": rng.choice((None, "pending", "refused")),
        "budget_starts_on": rng.choice((None, day(rng.randint(-400, 2 * days)))),
        "budget_months": rng.choice((None, 1, 12)),
    }


def _external_signal(rng: random.Random, names: list[str], key: int, days: int) -> Row:
    scope = rng.choice(("all", "segment", "region", "account"))
    ids = {"all": None, "segment": "smb", "region": "us", "account": rng.choice(names)}
    return {
        "signal_id": f"s{key}",
        "known_at": time(rng.choice((rng.uniform(0, days), rng.randint(0, days // 10) * 10))),
        "kind": rng.choice(KINDS),
        "scope": scope,
        "scope_id": ids[scope],
        "level": rng.choice((-1.0, -0.3, 0.0, 0.123456, 1.0)),
        "effective_on": rng.choice((None, day(rng.randint(-30, 2 * days)))),
    }
