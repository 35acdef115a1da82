"""Confidence intervals by resampling accounts, not rows.

An account stands at several cutoffs and its rows resemble one another; resampling rows would make intervals too narrow.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_CHUNK_CELLS = 2_000_000
_KEPT_CELLS = 12_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its percentile interval; NaN where it is undefined."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Return the three numbers for JSON, NaN as None."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: round(number, 6) if np.isfinite(number) else None for name, number in numbers.items()}

    @classmethod
    def from_dict(cls, figure: Mapping[str, float | None] | None) -> Estimate | None:
        """Return what `as_dict` told, or None if one of the three numbers is undefined or not there."""
        value, low, high = ((figure or {}).get(name) for name in ("value", "low", "high"))
        return None if value is None or low is None or high is None else cls(value, low, high)

    def negated(self) -> Estimate:
        """Return the figure with the other sign."""
        return Estimate(0.0 - self.value, 0.0 - self.high, 0.0 - self.low)

    def widened(self, factor: float) -> Estimate:
        """Return the figure with both ends of its interval *factor* times as far away."""
        return Estimate(
            self.value,
            self.value - factor * (self.value - self.low),
            self.value + factor * (self.high - self.value),
        )

    def less(self, other: Estimate, wider: float = 1.0) -> Estimate:
        """Return the difference to *other*, with the interval of two figures that are independent of each other.

        Args:
            other: What is taken off.
            wider: The interval is widened by this.
        """
        value = self.value - other.value
        down = wider * float(np.hypot(self.value - self.low, other.high - other.value))
        up = wider * float(np.hypot(self.high - self.value, other.value - other.low))
        return Estimate(value, value - down, value + up)


def simultaneous_reach(comparisons: int, confidence: float = 0.95) -> float:
    """Return how many standard errors an interval reaches so that *comparisons* of them hold together (Bonferroni)."""
    return NormalDist().inv_cdf(1 - (1 - confidence) / (2 * comparisons))


class AccountBootstrap:
    """Resamples of the accounts of one set of rows; every figure of that set uses the same resamples."""

    def __init__(
        self,
        account_id: NDArray[np.object_],
        *,
        samples: int,
        seed: int,
        confidence: float = 0.95,
        comparisons: int = 1,
    ) -> None:
        """Prepare *samples* resamples.

        Args:
            account_id: Shape (n,): the account of each row.
            samples: Number of resamples.
            seed: Seed of the resampling.
            confidence: Coverage of the intervals.
            comparisons: Of so many figures that are judged together. Above 1, intervals are widened so that all of them
                hold together (Bonferroni), and are told from the spread of the resamples as if that were normal: so far
                out, a few hundred resamples have no percentiles.
        """
        _, self._of_row = np.unique(account_id.astype(str), return_inverse=True)
        accounts = int(self._of_row.max()) + 1 if len(self._of_row) else 0
        generator = np.random.default_rng(seed)
        draws = generator.integers(0, max(1, accounts), size=(samples, accounts))
        self._picks = np.stack([np.bincount(draw, minlength=accounts) for draw in draws]).astype(np.int32)
        self._tails = ((1 - confidence) / 2, 1 - (1 - confidence) / 2)
        self._reach = None if comparisons == 1 else simultaneous_reach(comparisons, confidence)
        cells = samples * len(self._of_row)
        self._kept = self._weights(0, samples) if cells <= _KEPT_CELLS else None

    def estimate(self, figure: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Estimate:
        """Return *figure* on the rows as they are, with its interval over the resamples.

        Args:
            figure: Takes weights of shape (b, n), returns b values.
        """
        return self.summarise(np.append(figure(np.ones((1, len(self._of_row))))[:1], self.draws(figure)))

    def mean(self, values: NDArray[np.float64]) -> Estimate:
        """Return the mean of *values*, shape (n,), one a row, with its interval."""
        return self.estimate(lambda weight: np.asarray((weight @ values) / weight.sum(axis=1)))

    def draws(self, figure: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return *figure* on every resample, shape (samples,)."""
        if self._kept is not None:
            return figure(self._kept)
        samples = len(self._picks)
        step = max(1, _CHUNK_CELLS // len(self._of_row))
        return np.concatenate(
            [figure(self._weights(start, min(samples, start + step))) for start in range(0, samples, step)]
        )

    def band(
        self, curve: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the interval of every point of *curve*, two arrays of shape (points,).

        Args:
            curve: Takes weights of shape (b, n), returns heights of shape (b, points).
        """
        low, high = np.quantile(self.draws(curve), self._tails, axis=0)
        return low, high

    def accounts(self, rows: NDArray[np.bool_]) -> int:
        """Return how many accounts the rows chosen by the mask *rows* belong to."""
        return len(np.unique(self._of_row[rows]))

    def only(self, rows: NDArray[np.bool_]) -> AccountBootstrap:
        """Return the same resamples for the part of the rows that the mask *rows* chooses."""
        part = copy.copy(self)
        part._of_row = self._of_row[rows]  # noqa: SLF001 - of this very class
        part._kept = None  # noqa: SLF001 - of this very class
        return part

    def sums(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of row values over the rows as they are, and over every resample.

        A figure that is a ratio of sums costs one small matrix product this way, whatever the number of rows.

        Args:
            columns: Shape (n, k), k values a row.

        Returns:
            Shape (1 + samples, k); the rows as they are come first.
        """
        accounts = self._picks.shape[1]
        of_account = np.empty((accounts, columns.shape[1]))
        for position in range(columns.shape[1]):
            of_account[:, position] = np.bincount(
                self._of_row, weights=columns[:, position], minlength=accounts
            )
        return np.vstack([of_account.sum(axis=0)[None, :], self._picks @ of_account])

    def summarise(self, values: NDArray[np.float64]) -> Estimate:
        """Return the estimate of a figure from its values on the rows as they are and on every resample.

        Args:
            values: Shape (1 + samples,), such as computed from `sums`; NaN where a resample leaves it undefined.
        """
        draws = values[1:][np.isfinite(values[1:])]
        if not len(draws):
            return Estimate(float(values[0]), np.nan, np.nan)
        if self._reach is not None:
            reach = self._reach * float(draws.std())
            return Estimate(float(values[0]), float(values[0]) - reach, float(values[0]) + reach)
        low, high = np.quantile(draws, self._tails)
        return Estimate(float(values[0]), float(low), float(high))

    def _weights(self, start: int, stop: int) -> NDArray[np.float64]:
        return self._picks[start:stop][:, self._of_row].astype(np.float64)
