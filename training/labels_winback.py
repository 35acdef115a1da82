"""Labels of win-back: which accounts had left at a cutoff, and after how many days each came back.

An account has left at a cutoff if its paid coverage ended before, no paid period has begun since, and the days since
that end lie between the grace days and `winback.within_days`. The days are those of the feature `days_since_end` on the
day before the cutoff, so that whoever is served a chance of coming back is one that such a label could have been of.

The event is the start of a paid period at the cutoff or later; trials are not paid. It needs no days past the horizon
to be told: what began has begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa

from feature_repo.tables import reading
from training.labels import MICROSECONDS_PER_DAY, read_subscriptions
from training.outcomes import Labels, days_until

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from training.definitions import Definitions, HeadName

WINBACK: Final[HeadName] = "winback"
_NEVER = 2**62

_SQL = """
with
paid as (
    select account_id, epoch_us(started_at) as s, coalesce(epoch_us(ended_at), $never) as e
    from subscriptions
    where not coalesce(is_trial, false)
      and (ended_at is null or ended_at > started_at)
      and account_id not in (select account_id from withheld)
),
ended as (
    select c.t, p.account_id, max(p.e) filter (where p.s < c.t) as e, min(p.s) filter (where p.s >= c.t) as back
    from cutoffs c cross join paid p
    group by all
)
select account_id, t, back - t as back_us
from ended
where e < $never and t // $day - 1 - e // $day between $grace and $within
order by account_id, t
"""


def label_departed(
    subscriptions: pa.Table,
    cutoffs: Sequence[dt.date],
    *,
    end_day: dt.date,
    definitions: Definitions,
    withheld: Sequence[str] = (),
) -> Labels:
    """Label every account that had left at a cutoff with the head `winback`.

    Args:
        subscriptions: Columns of the raw-table contract, of which account_id, started_at, ended_at and is_trial are
            read.
        cutoffs: Days, taken at 00:00 UTC.
        end_day: Last complete day of the data.
        definitions: Horizons, grace days, and until when an account may be won back.
        withheld: Accounts that may not be trained on.
    """
    moments = np.array(sorted(set(cutoffs)), dtype="datetime64[D]")
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.register("subscriptions", subscriptions)
        con.register("withheld", pa.table({"account_id": pa.array(withheld, pa.string())}))
        con.register("cutoffs", pa.table({"t": moments.astype("datetime64[us]").astype(np.int64)}))
        found = con.execute(
            _SQL,
            {
                "never": _NEVER,
                "day": MICROSECONDS_PER_DAY,
                "grace": definitions.churn.grace_days,
                "within": definitions.winback.within_days,
            },
        ).fetchnumpy()
    cutoff = np.asarray(found["t"], dtype=np.int64).astype("datetime64[us]").astype("datetime64[D]")
    back = np.ma.filled(np.ma.asarray(found["back_us"]).astype(np.float64), np.inf)
    end = np.datetime64(end_day, "D") + np.timedelta64(1, "D")
    return Labels(
        account_id=np.asarray(found["account_id"], dtype=object),
        cutoff=cutoff,
        event_days={WINBACK: np.asarray(back / MICROSECONDS_PER_DAY, dtype=np.float64)},
        observed_days={WINBACK: days_until(cutoff, end)},
        horizons_days=definitions.horizons_days,
        withheld_accounts=len(withheld),
    )


def read_departed(folder: Path, cutoffs: Sequence[dt.date], definitions: Definitions) -> Labels:
    """Label the accounts of the data folder that had left at *cutoffs*; see `label_departed`.

    Raises:
        DatasetError: The folder has no accounts or no subscriptions.
        DataFolderError: A file can't be read as the raw-table contract asks.
    """
    subscriptions, refused = read_subscriptions(folder)
    return label_departed(
        subscriptions,
        cutoffs,
        end_day=reading.end_day(reading.connect(), folder),
        definitions=definitions,
        withheld=refused,
    )
