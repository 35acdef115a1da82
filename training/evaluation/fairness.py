"""Gaps between a slice and all other accounts, against limits: is the head equally right for all of them.

Many gaps are looked at at once: three measures of every slice, of every head. Each interval is widened so that all of
them together hold with 95 % confidence (Bonferroni). A gap counts as beyond its limit only when its whole interval lies
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap, simultaneous_reach
from training.evaluation.slices import UNKNOWN, JudgedRows, Slice, slices_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.limits import Limits

Measure = Literal["selection", "equal_opportunity", "calibration"]
MEASURES: tuple[Measure, ...] = ("selection", "equal_opportunity", "calibration")
Verdict = Literal["within", "doubtful", "beyond", "too_few"]

_HALF = 0.5  # added to counts, so that a slice nobody of which is flagged has a finite ratio (Haldane 1956)
_SUMS = 6


@dataclass(frozen=True, slots=True)
class Gap:
    """A slice against all other rows.

    Attributes:
        column: Slice column.
        slice: Value of it.
        measure: `selection` is a ratio of the shares that are flagged, `equal_opportunity` a difference in recall,
            `calibration` a difference of (mean probability - event rate).
        value: The gap.
        low: Lower end of its simultaneous 95 % interval.
        high: Upper end.
        limit: Range that it should keep to.
        verdict: `within` the limits, `doubtful` when only the value is outside, `beyond` when the whole interval is,
            `too_few` when slice or others are small.
        refuses: Whether a gap beyond the limit refuses the bundle.
    """

    column: str
    slice: str
    measure: Measure
    value: float
    low: float
    high: float
    limit: tuple[float, float]
    verdict: Verdict
    refuses: bool

    @property
    def excess(self) -> float:
        """By how much the value is outside of its limit, over the width of the limit; 0 inside."""
        low, high = self.limit
        return max(0.0, low - self.value, self.value - high) / (high - low)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "column": self.column,
            "slice": self.slice,
            "measure": self.measure,
            "value": round(self.value, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "limit": list(self.limit),
            "verdict": self.verdict,
            "refuses": self.refuses,
        }


def parity_gaps(
    rows: JudgedRows, limits: Limits, *, samples: int, seed: int, heads: int = 1
) -> tuple[Gap, ...]:
    """Return the gaps of every slice and measure.

    Args:
        rows: Test rows.
        limits: Ranges, and when a slice is small.
        samples: Resamples of accounts.
        seed: Their seed.
        heads: How many heads, or heads and horizons, are looked at in the same go; intervals hold over the gaps of all.
    """
    slices = [
        one
        for one in slices_of(rows.columns, limits.slices.most_slices)
        if not one.mask.all()  # a column with one value has nobody to compare with
    ]
    if not slices:
        return ()
    bootstrap = AccountBootstrap(rows.account_id, samples=samples, seed=seed)
    terms = _terms(rows, slices)
    sums = bootstrap.sums(terms)
    found, drawn = _Sums(sums[:1]), _Sums(sums[1:])
    accounts = np.array(
        [[len(set(rows.account_id[part].tolist())) for part in (one.mask, ~one.mask)] for one in slices]
    )
    enough = accounts.min(axis=1) >= limits.slices.min_accounts
    events, expected = (np.minimum(found.inside[0, :, term], found.outside[0, :, term]) for term in (1, 4))
    judged: dict[Measure, NDArray[np.bool_]] = {
        "selection": enough,
        "equal_opportunity": enough & (events >= limits.slices.min_events),
        # Events that were expected and never came tell as much as those that came.
        "calibration": enough & (np.maximum(events, expected) >= limits.slices.min_events),
    }
    wide = simultaneous_reach(len(slices) * len(MEASURES) * heads)
    gaps: list[Gap] = []
    for measure in MEASURES:
        value, spread = _gap(measure, found)[0], _gap(measure, drawn).std(axis=0)
        spread = np.sqrt(np.maximum(spread**2, _least_variance(measure, found, accounts)))
        low, high = value - wide * spread, value + wide * spread
        if measure != "calibration" and not found.anybody_flagged:
            value = low = high = np.zeros(len(slices))
        if measure == "selection":
            value, low, high = np.exp(value), np.exp(low), np.exp(high)
        limit = _limit(measure, limits)
        refusing = getattr(limits.fairness.refused_by, measure)
        gaps += [
            Gap(
                column=one.column,
                slice=one.name,
                measure=measure,
                value=float(value[index]),
                low=float(low[index]),
                high=float(high[index]),
                limit=limit,
                verdict=_verdict(value[index], low[index], high[index], limit)
                if judged[measure][index]
                else "too_few",
                refuses=one.column in refusing,
            )
            for index, one in enumerate(slices)
        ]
    return tuple(gaps)


class _Sums:
    """Sums inside and outside of each slice: arrays of shape (b, slices, terms)."""

    def __init__(self, flat: NDArray[np.float64]) -> None:
        whole = flat[:, None, :_SUMS]
        self.inside = flat[:, _SUMS:].reshape(len(flat), -1, _SUMS)
        self.outside = whole - self.inside

    @property
    def anybody_flagged(self) -> bool:
        """Whether a row of any slice or beside it is flagged; where none is, nobody is treated unlike anybody else."""
        return bool((self.inside[..., 2] + self.outside[..., 2]).any())


def _terms(rows: JudgedRows, slices: list[Slice]) -> NDArray[np.float64]:
    """Return columns whose weighted sums are all that gaps need: of all rows, then of each slice."""
    flagged = (rows.probability >= rows.threshold).astype(np.float64)
    base = np.column_stack(
        [
            np.ones(len(rows.label)),
            rows.label,
            flagged,
            flagged * rows.label,
            rows.probability,
            rows.probability - rows.label,
        ]
    )
    return np.hstack([base, *(base * one.mask[:, None] for one in slices)])


def _rate(sums: NDArray[np.float64], measure: Measure) -> NDArray[np.float64]:
    part, whole = (2, 0) if measure == "selection" else (3, 1)
    return np.asarray((sums[..., part] + _HALF) / (sums[..., whole] + 2 * _HALF), dtype=np.float64)


def _gap(measure: Measure, sums: _Sums) -> NDArray[np.float64]:
    """Return the gap of each resample and slice, shape (b, slices); of selection, the logarithm of the ratio."""
    if measure == "calibration":
        inside, outside = (
            part[..., 5] / np.maximum(part[..., 0], _HALF) for part in (sums.inside, sums.outside)
        )
        return np.asarray(inside - outside, dtype=np.float64)
    inside, outside = _rate(sums.inside, measure), _rate(sums.outside, measure)
    return np.asarray(
        np.log(inside / outside) if measure == "selection" else inside - outside, dtype=np.float64
    )


def _least_variance(measure: Measure, found: _Sums, accounts: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return the variance that a share of so many accounts has at least; resamples of 0 of n never differ."""
    if measure == "calibration":
        return np.zeros(len(accounts))
    inside, outside = _rate(found.inside[0], measure), _rate(found.outside[0], measure)
    parts = [
        (1 - rate) / (rate if measure == "selection" else 1 / rate) / (count + 1)
        for rate, count in ((inside, accounts[:, 0]), (outside, accounts[:, 1]))
    ]
    return np.asarray(parts[0] + parts[1], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A column by which a bundle is to be refused, and the measures of which none of its slices could be judged.

    Attributes:
        column: Slice column.
        measures: Of those that refuse by it.
        why: What is missing.
    """

    column: str
    measures: tuple[Measure, ...]
    why: str

    @property
    def sentence(self) -> str:
        """Column, measures and reason, such as `region (equal opportunity): no feature tells it`."""
        return f"{self.column} ({', '.join(one.replace('_', ' ') for one in self.measures)}): {self.why}"

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"column": self.column, "measures": list(self.measures), "why": self.why}


def unmeasured(
    columns: Mapping[str, NDArray[np.object_]], gaps: tuple[Gap, ...], limits: Limits
) -> tuple[Unmeasured, ...]:
    """Return the slice columns that must refuse a bundle but can't be judged, by measure, with the reason.

    Slices large enough for one measure may have too few events for another. A column whose accounts are all alike, and
    known to be, can have no gap; nothing is missing there.

    Args:
        columns: Of the test rows.
        gaps: Theirs, of `parity_gaps`.
        limits: Which columns refuse.
    """
    asked: dict[str, list[Measure]] = {}
    for measure in MEASURES:
        for column in getattr(limits.fairness.refused_by, measure):
            asked.setdefault(column, []).append(measure)
    found: list[Unmeasured] = []
    for column, measures in asked.items():
        if column not in columns:
            found.append(Unmeasured(column, tuple(measures), "no feature tells it"))
        elif not (columns[column] != UNKNOWN).any():
            found.append(Unmeasured(column, tuple(measures), "it is not known of any account"))
        else:
            found += _too_few(column, measures, gaps, limits)
    return tuple(found)


def _too_few(column: str, measures: list[Measure], gaps: tuple[Gap, ...], limits: Limits) -> list[Unmeasured]:
    """Return the *measures* of which no slice of *column* has enough accounts, or enough events."""
    verdicts = {
        measure: {gap.verdict for gap in gaps if (gap.column, gap.measure) == (column, measure)}
        for measure in MEASURES
    }
    few = tuple(measure for measure in measures if verdicts[measure] == {"too_few"})
    if not few:
        return []
    if verdicts["selection"] == {"too_few"}:  # asks for accounts alone
        why = f"every slice, or all beside it, has fewer than {limits.slices.min_accounts} accounts"
    else:
        why = f"every slice large enough, or all beside it, has fewer than {limits.slices.min_events} events"
    return [Unmeasured(column, few, why)]


def _limit(measure: Measure, limits: Limits) -> tuple[float, float]:
    if measure == "selection":
        return limits.fairness.selection_ratio
    most = (
        limits.fairness.max_equal_opportunity_gap
        if measure == "equal_opportunity"
        else limits.fairness.max_calibration_gap
    )
    return (-most, most)


def _verdict(value: float, low: float, high: float, limit: tuple[float, float]) -> Verdict:
    if high < limit[0] or low > limit[1]:
        return "beyond"
    return "within" if limit[0] <= value <= limit[1] else "doubtful"
