"""Confidence intervals by resampling accounts, not rows.

An account stands at several cutoffs and its rows resemble one another; resampling rows would make intervals too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CHUNK_CELLS = 4_000_000


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


class AccountBootstrap:
    """Resamples of the accounts of one set of rows; every figure of that set uses the same resamples."""

    def __init__(
        self, account_id: NDArray[np.object_], *, samples: int, seed: int, confidence: float = 0.95
    ) -> None:
        """Prepare *samples* resamples.

        Args:
            account_id: Shape (n,): the account of each row.
            samples: Number of resamples.
            seed: Seed of the resampling.
            confidence: Coverage of the intervals.
        """
        _, self._of_row = np.unique(account_id.astype(str), return_inverse=True)
        self._accounts = int(self._of_row.max()) + 1 if len(self._of_row) else 0
        self._samples = samples
        self._seed = seed
        self._tails = ((1 - confidence) / 2, 1 - (1 - confidence) / 2)

    def estimate(self, figure: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Estimate:
        """Return *figure* on the rows as they are, with its interval over the resamples.

        Args:
            figure: Takes weights of shape (b, n), returns b values.
        """
        rows = len(self._of_row)
        value = float(figure(np.ones((1, rows)))[0])
        draws = self.draws(figure)
        draws = draws[np.isfinite(draws)]
        if not len(draws):
            return Estimate(value, np.nan, np.nan)
        low, high = np.quantile(draws, self._tails)
        return Estimate(value, float(low), float(high))

    def draws(self, figure: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return *figure* on every resample, shape (samples,)."""
        generator = np.random.default_rng(self._seed)
        per_chunk = max(1, _CHUNK_CELLS // max(1, len(self._of_row)))
        found = []
        for start in range(0, self._samples, per_chunk):
            count = min(per_chunk, self._samples - start)
            picks = generator.multinomial(
                self._accounts, np.full(self._accounts, 1 / self._accounts), size=count
            )
            found.append(figure(picks[:, self._of_row].astype(np.float64)))
        return np.concatenate(found) if found else np.empty(0)
