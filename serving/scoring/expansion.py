"""Says which accounts are ready to expand, and what drives that: a limit of their plan, or another feature.

An account is ready when its probability of expanding by the scored horizon is at or over the threshold that training
chose, and its evidence is full. What drives it is found by removal: each signal in turn is made missing, and the one
without which the probability falls furthest speaks. Only accounts that are ready are asked about, since each costs a
call of the graph with a row a signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle
    from serving.bundle.manifest import Manifest
    from serving.features.rows import ContextValue
    from serving.scoring.evidence import EvidenceStatus
    from serving.scoring.sayings import Saying
    from serving.scoring.signals import SignalTables

UPSELL: Final = "upsell"
LIMIT_SIGNALS: Final = frozenset({"seat_limit", "api_limit", "storage_limit"})
"""Signals on how much of what the plan allows is in use; one that drives at all goes before any other."""
SMALLEST_FALL: Final = 0.001
"""A signal without which the probability falls by less drives nothing."""


@dataclass(frozen=True, slots=True)
class ExpansionLine:
    """From where on an account is ready to expand.

    Attributes:
        horizon: Name of the horizon (`90d`).
        column: Its column in the head's probabilities.
        threshold: The least probability.
    """

    horizon: str
    column: int
    threshold: float

    @classmethod
    def of(cls, manifest: Manifest) -> ExpansionLine | None:
        """Return the line of a bundle; None if it has no such head, or no threshold for the scored horizon."""
        days = manifest.score_horizon_days
        for head in manifest.heads:
            threshold = head.thresholds.get(f"{days}d")
            if head.name == UPSELL and days in head.horizons_days and threshold is not None:
                return cls(f"{days}d", head.horizons_days.index(days), threshold)
        return None

    def passed(self, probability: Mapping[str, float], evidence: EvidenceStatus) -> bool:
        """Return whether an account of these probabilities of expanding, as answers show them, is ready."""
        return evidence == "full" and probability[self.horizon] >= self.threshold


def expansion_driver(
    bundle: Bundle,
    tables: SignalTables,
    line: ExpansionLine,
    row: NDArray[np.float64],
    words: Mapping[str, ContextValue],
) -> Saying | None:
    """Return what drives the expansion of one account, in the words of its reasons; None if no single signal does.

    Args:
        bundle: The model.
        tables: Its signals.
        line: Its line.
        row: The account's model features, shape (f,), missing is NaN.
        words: Its string features by name.
    """

    def falls(parts: list[tuple[int, ...]]) -> NDArray[np.float64]:
        """Return how far the probability falls without each of *parts*, some columns, shape (parts,)."""
        rows = np.tile(row, (len(parts) + 1, 1))
        for place, columns in enumerate(parts):
            rows[place, list(columns)] = np.nan
        found = bundle.run(rows, contributions=False).probabilities[UPSELL][:, line.column]
        fallen: NDArray[np.float64] = found[-1] - found[:-1]
        return fallen

    by_signal = falls(list(tables.members))
    driving = np.flatnonzero(by_signal >= SMALLEST_FALL).tolist()
    if not driving:
        return None
    limits = [group for group in driving if tables.sayings[tables.members[group][0]].signal in LIMIT_SIGNALS]
    members = tables.members[max(limits or driving, key=by_signal.__getitem__)]
    at = 0 if len(members) == 1 else int(falls([(column,) for column in members]).argmax())
    column = members[at]
    number = float(row[column])
    if tables.texts[column]:
        return tables.sayings[column][words.get(tables.features[column])]
    return tables.sayings[column][number if np.isfinite(number) else None]


def driver_shown(driver: Saying | None) -> dict[str, Any] | None:
    """Return a driver as an HTTP answer shows it."""
    if driver is None:
        return None
    return {
        "signal": driver.signal,
        "feature": driver.feature,
        "value": driver.value,
        "text": driver.text,
        "is_limit": driver.signal in LIMIT_SIGNALS,
    }
