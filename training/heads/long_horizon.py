"""Expansion from 90 to 365 days: one more hazard interval on top of a head that ends at 90 days.

Rows whose year is not yet over are used as far as they were seen: the interval is cut into equal pieces (of 55 days),
and a row lives through as many of them as the data can tell. The hazard is one rate over the pieces, moved by the
calibrated log-odds that the head already has for its last interval, so that a few months of data are enough and no new
trees are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.errors import TooLittleDataError
from training.heads.boosting import PersonPeriods
from training.heads.calibration import fit_platt
from training.heads.hazard import composed, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.dataset import PartRows
    from training.heads.hazard import HazardHead, Platt

LONG_HORIZON_DAYS = 365
PIECE_DAYS = 55
LEAST_EVENTS = 15


@dataclass(frozen=True, slots=True)
class LongInterval:
    """The interval from a head's last horizon to `end_days`, cut into equal pieces.

    Attributes:
        end_days: End of the interval.
        pieces: How many pieces it is cut into.
        calibration: Of a piece's hazard, by the calibrated log-odds of the head's last interval.
        events: Expansions that it was fitted to.
        seen_pieces: Furthest piece that the data reach; later ones are taken to be like those seen.
    """

    end_days: int
    pieces: int
    calibration: Platt
    events: int
    seen_pieces: int

    def edges(self, first: int) -> NDArray[np.float64]:
        """Return where the pieces begin and end, shape (pieces + 1,), if the interval begins on day *first*."""
        return np.linspace(first, self.end_days, self.pieces + 1)

    def hazard(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the hazard of the whole interval, shape (n,), for log-odds of the head's last interval."""
        one = sigmoid(self.calibration.log_odds(log_odds))
        return np.asarray(-np.expm1(self.pieces * np.log1p(-one)), dtype=np.float64)


def piece_edges(first: int, end_days: int, piece_days: int = PIECE_DAYS) -> NDArray[np.float64]:
    """Return where equal pieces begin and end, shape (k + 1,), in days from the cutoff.

    Args:
        first: Where the first begins.
        end_days: Where the last ends.
        piece_days: Length of a piece, about; there is at least one.
    """
    return np.linspace(first, end_days, max(1, round((end_days - first) / piece_days)) + 1)


def pieces_seen(
    event_days: NDArray[np.float64],
    observed_days: NDArray[np.float64],
    edges: NDArray[np.float64],
    reach: NDArray[np.float64] | None = None,
) -> PersonPeriods:
    """Return the person-periods of the pieces between *edges*, of shape (k + 1,), as far as each row was seen.

    Args:
        event_days: Shape (n,), infinite if there is none.
        observed_days: Shape (n,).
        edges: Increasing, in days from the cutoff.
        reach: Shape (n,), days from the cutoff to the first day of which a fit knew nothing; only pieces that were over
            after it count, as they taught that fit nothing. All pieces if None.
    """
    days, starts, ends = event_days[:, None], edges[None, :-1], edges[None, 1:]
    at_risk, seen = days >= starts, observed_days[:, None] >= ends
    if reach is not None:
        seen &= reach[:, None] < ends
    return PersonPeriods.of(at_risk, at_risk & (days < ends), seen)


def fit_long_interval(
    head: HazardHead,
    rows: PartRows,
    *,
    end_days: int = LONG_HORIZON_DAYS,
    piece_days: int = PIECE_DAYS,
) -> LongInterval:
    """Return the interval after the last horizon of *head*, fitted to *rows* as far as they were seen.

    Args:
        head: Usually `on_train` with validation rows, or the final head with all rows known when the test begins.
        rows: Rows and labels; those of which less than a piece past the last horizon was seen teach nothing.
        end_days: End of the interval.
        piece_days: Length of a piece, about.

    Raises:
        TooLittleDataError: Fewer than 15 events were seen; the message says how many.
    """
    first = head.horizons_days[-1]
    edges = piece_edges(first, end_days, piece_days)
    observed = rows.labels.observed_days[head.name]
    periods = pieces_seen(rows.labels.event_days[head.name], observed, edges)
    if periods.events < LEAST_EVENTS:
        raise TooLittleDataError(
            f"{head.name} from {first} to {end_days} days: {periods.events} events were seen; at least "
            f"{LEAST_EVENTS} are needed, so the data should reach further past the cutoffs"
        )
    log_odds = head.log_odds(rows.matrix)[:, -1]
    times = periods.weight.astype(np.intp)
    lived = np.repeat(periods.rows, times)
    return LongInterval(
        end_days=end_days,
        pieces=len(edges) - 1,
        calibration=fit_platt(log_odds[lived], np.repeat(periods.event, times)),
        events=periods.events,
        seen_pieces=int((edges[1:] <= observed.max()).sum()),
    )


def long_probability(
    head: HazardHead, interval: LongInterval, matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return P(event by the end of *interval*), shape (n,), never under that by the head's last horizon."""
    log_odds = head.log_odds(matrix)
    before = composed(sigmoid(log_odds))[:, -1]
    return np.asarray(before + interval.hazard(log_odds[:, -1]) * (1.0 - before), dtype=np.float64)
