"""Labels: what happened to each account after a cutoff, from its subscriptions alone.

A label belongs to (account, cutoff). The account must hold an active paid subscription at the cutoff; the label is the
time from the cutoff to its churn or upsell, and for how long after the cutoff the data can tell; `training.outcomes`
holds both.

A horizon is [T, T + h): features know what came before 00:00 of T, so what happens at that very moment lies ahead.

Churn before an upsell is a competing event. Such an account stays in the risk set of later intervals with no event, so
that the composed probability is the share of accounts that really do expand, not of those that would if none left
(Fine and Gray 1999, the subdistribution hazard).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa

from feature_repo.tables import reading
from training.definitions import HEADS
from training.errors import DatasetError
from training.outcomes import Intervals, Labels, days_until

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.definitions import Definitions

__all__ = ["Intervals", "Labels", "label_accounts", "read_labels", "read_subscriptions"]

MICROSECONDS_PER_DAY = 86_400_000_000
_NEVER = 2**62

_SUBSCRIPTION_COLUMNS = ("account_id", "plan", "seats", "started_at", "ended_at", "is_trial")


_SQL = """
with
paid as (
    select s.account_id,
           epoch_us(s.started_at) as s,
           coalesce(epoch_us(s.ended_at), $never) as e,
           p.rank, s.seats
    from subscriptions s left join plans p on p.plan = s.plan
    where not coalesce(s.is_trial, false)
      and (s.ended_at is null or s.ended_at > s.started_at)
      and s.account_id not in (select account_id from withheld)
),
chained as (
    select *, max(e) over (partition by account_id order by s, e
                           rows between unbounded preceding and 1 preceding) as covered_until
    from paid
),
numbered as (
    select *, sum(case when covered_until is null or s > covered_until + $grace then 1 else 0 end)
                  over (partition by account_id order by s, e rows unbounded preceding) as spell
    from chained
),
spells as (
    select account_id, spell, min(s) as s, max(e) as e from numbered group by all
),
starts as (select distinct account_id, s as t from paid),
last_covered as (
    select b.account_id, b.t, max(least(p.e, b.t)) as m
    from starts b join paid p on p.account_id = b.account_id and p.s < b.t
    group by all
),
before as (
    select c.account_id, c.t, max(p.rank) as rank, max(p.seats) as seats
    from last_covered c join paid p on p.account_id = c.account_id and p.s < c.t and p.e >= c.m
    where c.t - c.m <= $grace
    group by all
),
after as (
    select b.account_id, b.t, max(p.rank) as rank, max(p.seats) as seats
    from starts b join paid p on p.account_id = b.account_id and p.s <= b.t and p.e > b.t
    group by all
),
upsells as (
    select account_id, t
    from before b join after a using (account_id, t)
    where ($higher_plan and coalesce(a.rank > b.rank, false))
       or ($more_seats and a.seats > b.seats and coalesce(a.rank >= b.rank, true))
),
at_risk as (
    select distinct c.t, p.account_id from cutoffs c join paid p on p.s < c.t and p.e >= c.t
)
select r.account_id, r.t,
       case when w.e < $never then w.e - r.t end as churn_us,
       min(u.t) - r.t as upsell_us
from at_risk r
join spells w on w.account_id = r.account_id and w.s < r.t and w.e >= r.t
left join upsells u on u.account_id = r.account_id and u.t >= r.t and u.t < w.e
group by r.account_id, r.t, w.e
order by r.account_id, r.t
"""


def label_accounts(
    subscriptions: pa.Table,
    cutoffs: Sequence[dt.date],
    *,
    end_day: dt.date,
    plan_order: Sequence[str],
    definitions: Definitions,
    withheld: Sequence[str] = (),
) -> Labels:
    """Label every account that is at risk at a cutoff.

    At risk means: a paid subscription that runs up to the cutoff at least, and paid coverage that began before it (on
    its first day an account has no features). Where paid periods overlap, the largest plan and the largest number of
    seats count.

    Args:
        subscriptions: Columns of the raw-table contract, of which account_id, plan, seats, started_at, ended_at and
            is_trial are read.
        cutoffs: Days, taken at 00:00 UTC.
        end_day: Last complete day of the data.
        plan_order: Plans from smallest to largest; a plan that is not in it has no rank, and only seats can rise.
        definitions: Horizons and events.
        withheld: Accounts that may not be trained on.

    Raises:
        DatasetError: A column is missing.
    """
    missing = [name for name in _SUBSCRIPTION_COLUMNS if name not in subscriptions.column_names]
    if missing:
        raise DatasetError(f"subscriptions: labels need the columns {', '.join(missing)}")
    moments = np.array(sorted(set(cutoffs)), dtype="datetime64[D]")
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.register("subscriptions", subscriptions.select(list(_SUBSCRIPTION_COLUMNS)))
        con.register(
            "plans", pa.table({"plan": pa.array(plan_order, pa.string()), "rank": _ranks(plan_order)})
        )
        con.register("withheld", pa.table({"account_id": pa.array(withheld, pa.string())}))
        con.register("cutoffs", pa.table({"t": moments.astype("datetime64[us]").astype(np.int64)}))
        found = con.execute(
            _SQL,
            {
                "never": _NEVER,
                "grace": definitions.churn.grace_days * MICROSECONDS_PER_DAY,
                "higher_plan": definitions.upsell.higher_plan,
                "more_seats": definitions.upsell.more_seats,
            },
        ).fetchnumpy()
    cutoff = np.asarray(found["t"], dtype=np.int64).astype("datetime64[us]").astype("datetime64[D]")
    end = np.datetime64(end_day, "D") + np.timedelta64(1, "D")
    reach = days_until(cutoff, end)
    return Labels(
        account_id=np.asarray(found["account_id"], dtype=object),
        cutoff=cutoff,
        event_days={"churn": _days(found["churn_us"]), "upsell": _days(found["upsell_us"])},
        observed_days={head: reach - definitions.label_days(head) for head in HEADS},
        horizons_days=definitions.horizons_days,
        withheld_accounts=len(withheld),
    )


def read_labels(folder: Path, cutoffs: Sequence[dt.date], definitions: Definitions) -> Labels:
    """Label the accounts of the data folder at *cutoffs*; see `label_accounts`.

    Accounts whose `consent_training` is false are left out.

    Raises:
        DatasetError: The folder has no accounts or no subscriptions.
        DataFolderError: A file can't be read as the raw-table contract asks.
    """
    subscriptions, refused = read_subscriptions(folder)
    con = reading.connect()
    return label_accounts(
        subscriptions,
        cutoffs,
        end_day=reading.end_day(con, folder),
        plan_order=reading.plan_order(con, folder),
        definitions=definitions,
        withheld=refused,
    )


def read_subscriptions(folder: Path) -> tuple[pa.Table, list[str]]:
    """Return what labels read of the subscriptions in *folder*, and the accounts whose `consent_training` is false.

    Raises:
        DatasetError: The folder has no accounts or no subscriptions.
        DataFolderError: A file can't be read as the raw-table contract asks.
    """
    con = reading.connect()
    subscriptions = reading.scan(con, folder, "subscriptions")
    accounts = reading.scan(con, folder, "accounts")
    if subscriptions is None or accounts is None:
        absent = "subscriptions" if subscriptions is None else "accounts"
        raise DatasetError(f"{folder}: the table {absent} is not there; labels can't be made without it")
    refused = accounts.filter(~accounts.consent_training.fill_null(True)).select("account_id").to_pyarrow()
    found = subscriptions.select(*_SUBSCRIPTION_COLUMNS).to_pyarrow()
    return found, refused.column("account_id").to_pylist()


def _ranks(plan_order: Sequence[str]) -> pa.Array:
    return pa.array(range(len(plan_order)), pa.int64())


def _days(microseconds: NDArray[np.int64]) -> NDArray[np.float64]:
    values = np.ma.filled(np.ma.asarray(microseconds).astype(np.float64), np.inf)
    return np.asarray(values / MICROSECONDS_PER_DAY, dtype=np.float64)
