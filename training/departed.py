"""Which accounts had left at a moment: their paid coverage had ended, and the grace days had passed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEVER = pd.Timestamp.max.tz_localize("UTC")


def had_left(
    account_id: NDArray[np.object_],
    moment: pd.Series[pd.Timestamp],
    subscriptions: pd.DataFrame,
    *,
    grace_days: int,
) -> NDArray[np.bool_]:
    """Return whether each account had left at its moment, shape (n,).

    It had if no paid period that began before the moment runs then, and the last of them ended *grace_days* or more
    before the day before: the days are those of the feature `days_since_end` as known at the moment. Trials are not
    paid, and an account that never paid has not left.

    Args:
        account_id: Shape (n,), object.
        moment: n moments, in UTC.
        subscriptions: Columns `account_id`, `started_at`, `ended_at` and `is_trial` of the raw-table contract.
        grace_days: Days without a paid subscription that still count as staying.
    """
    paid = subscriptions[~subscriptions["is_trial"].fillna(False).astype(bool)]
    periods = pd.DataFrame(
        {
            "account_id": paid["account_id"].astype(str),
            "start": pd.to_datetime(paid["started_at"], utc=True),
            "end": pd.to_datetime(paid["ended_at"], utc=True).fillna(_NEVER),
        }
    )
    periods = periods[periods["end"] > periods["start"]]
    asked = pd.DataFrame(
        {"account_id": account_id.astype(str), "moment": moment.to_numpy(), "row": range(len(moment))}
    )
    asked["moment"] = pd.to_datetime(asked["moment"], utc=True)
    known = asked.merge(periods, on="account_id")
    known = known[known["start"] <= known["moment"]]
    last = known.groupby("row").agg(end=("end", "max"), moment=("moment", "first"))
    days = (last["moment"].dt.floor("D") - last["end"].dt.floor("D")).dt.days - 1
    left = (last["end"] <= last["moment"]) & (days >= grace_days)
    found = np.zeros(len(asked), dtype=np.bool_)
    found[left.index[left.to_numpy(dtype=bool)].to_numpy(dtype=np.intp)] = True
    return found
