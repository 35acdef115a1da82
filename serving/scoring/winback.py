"""Tells which accounts have left, and what the bundle says of each coming back; of all others it says nothing.

An account has left when the days since its paid coverage ended lie between the grace days and the last day that
training looked at. The graph is asked for the chance of coming back only if there is such an account among those asked
about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from serving.scoring.evidence import reasons_of_leaver
from serving.scoring.score import PROBABILITY_DIGITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Outputs
    from serving.bundle.manifest import Manifest
    from serving.scoring.evidence import Evidence
    from serving.scoring.result import Intervals

DAYS: Final = "days_since_end"


class Winback(NamedTuple):
    """What is said of an account that has left.

    Attributes:
        probability: Of a paid subscription beginning again within each horizon (`30d`), rounded to six decimals.
        mrr_at_end: MRR with which it left, and that it would bring back; None if not known.
        days_since_end: Since its paid coverage ended.
        ended_unpaid: Whether that was for want of payment; None if not known.
        times_left: How many times its paid coverage has ended; None if not known.
        interval: The central 90 % interval of each probability, rounded alike; None if it was not asked for, or the
            bundle has none.
    """

    probability: dict[str, float]
    mrr_at_end: float | None
    days_since_end: int
    ended_unpaid: bool | None
    times_left: int | None
    interval: Intervals | None = None

    def shown(self, evidence: Evidence) -> dict[str, Any]:
        """Return the value as an HTTP answer shows it, of an account whose score rests on *evidence*."""
        has_rows = all(view.as_of is not None for view in evidence.views.values())
        reasons = reasons_of_leaver(evidence.reasons, has_rows=has_rows)
        status = "stale" if evidence.status == "stale" else "thin" if reasons else "full"
        return {
            "probability": self.probability,
            **({} if self.interval is None else {"interval_90": self.interval}),
            "mrr_at_end": self.mrr_at_end,
            "evidence": {
                "status": status,
                "reasons": reasons,
                "days_since_end": self.days_since_end,
                "ended_unpaid": self.ended_unpaid,
                "times_left": self.times_left,
            },
        }


@dataclass(frozen=True, slots=True)
class Departures:
    """Who has left, going by a bundle, and where the matrix tells of it.

    Attributes:
        horizons: Names of the head's horizons.
        days: Column of `days_since_end`.
        after: From how many days on.
        within: Until how many.
        mrr: Column of `mrr_at_end`; None if the contract lacks it, and so on.
        unpaid: Column of `ended_unpaid`.
        times: Column of `times_left`.
    """

    horizons: tuple[str, ...]
    days: int
    after: float
    within: float
    mrr: int | None
    unpaid: int | None
    times: int | None

    @classmethod
    def of(cls, manifest: Manifest) -> Departures | None:
        """Return them for a bundle; None if it says nothing of accounts that have left."""
        told = manifest.winback
        columns = {feature.name: at for at, feature in enumerate(manifest.contract.model_features)}
        if told is None or DAYS not in columns:
            return None
        return cls(
            horizons=tuple(f"{days}d" for days in told.head.horizons_days),
            days=columns[DAYS],
            after=float(told.after_days),
            within=float(told.within_days),
            mrr=columns.get("mrr_at_end"),
            unpaid=columns.get("ended_unpaid"),
            times=columns.get("times_left"),
        )

    def among(self, matrix: NDArray[np.float64]) -> bool:
        """Return whether any account of *matrix*, shape (n, model features), has left."""
        if len(matrix) == 1:
            return self.after <= matrix.item(self.days) <= self.within
        return bool(self.left(matrix).any())

    def left(self, matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which accounts of *matrix* have left, shape (n,)."""
        days = matrix[:, self.days]
        return np.asarray((days >= self.after) & (days <= self.within))

    def told(self, matrix: NDArray[np.float64], outputs: Outputs) -> dict[int, Winback]:
        """Return what *outputs* say of the accounts of *matrix* that have left, by row."""
        if outputs.winback is None:
            return {}
        rows = np.flatnonzero(self.left(matrix))
        lines = np.round(outputs.winback[rows], PROBABILITY_DIGITS).tolist()
        intervals = self._intervals(rows, outputs)
        return {
            row: Winback(
                probability=dict(zip(self.horizons, line, strict=True)),
                mrr_at_end=_number(matrix, row, self.mrr),
                days_since_end=int(matrix[row, self.days]),
                ended_unpaid=None if (unpaid := _number(matrix, row, self.unpaid)) is None else bool(unpaid),
                times_left=None if (times := _number(matrix, row, self.times)) is None else int(times),
                interval=interval,
            )
            for row, line, interval in zip(rows.tolist(), lines, intervals, strict=True)
        }

    def _intervals(self, rows: NDArray[np.intp], outputs: Outputs) -> Sequence[Intervals | None]:
        """Return the intervals of the accounts in *rows*; None of each where there are none."""
        if outputs.winback_low is None or outputs.winback_high is None:
            return [None] * len(rows)
        ends = np.stack([outputs.winback_low[rows], outputs.winback_high[rows]], axis=2)
        lines = np.round(ends, PROBABILITY_DIGITS).tolist()
        return [dict(zip(self.horizons, line, strict=True)) for line in lines]


def winbacks(
    departures: Departures | None, matrix: NDArray[np.float64], outputs: Outputs
) -> Sequence[Winback | None]:
    """Return for each account of *matrix* what is said of its coming back; None where it has not left."""
    if departures is None or outputs.winback is None:
        return [None] * len(matrix)
    told = departures.told(matrix, outputs)
    return [told.get(row) for row in range(len(matrix))]


def _number(matrix: NDArray[np.float64], row: int, column: int | None) -> float | None:
    value = np.nan if column is None else float(matrix[row, column])
    return value if np.isfinite(value) else None
