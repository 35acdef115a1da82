"""The values of monitoring: rows that a bundle has scored, and all that was found on them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from training.monitoring.expected import ASSUMPTION, Expected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.monitoring.drift import FeatureDrift
    from training.monitoring.importance import SignalChange

Trigger = Literal["schedule", "drift", "importance", "expected performance"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a bundle is due, in one sentence."""

    trigger: Trigger
    sentence: str


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Rows that a bundle has scored, f model features.

    Attributes:
        account_id: Shape (n,).
        matrix: Shape (n, f), missing is NaN.
        probabilities: Per head, shape (n, horizons).
        explained: Which of the rows have contributions.
        contributions: Per head, shape (explained rows, f).
    """

    account_id: NDArray[np.object_]
    matrix: NDArray[np.float64]
    probabilities: Mapping[str, NDArray[np.float64]]
    explained: NDArray[np.intp]
    contributions: Mapping[str, NDArray[np.float64]]

    @property
    def accounts(self) -> int:
        """How many accounts there are."""
        return len(set(self.account_id.tolist()))


@dataclass(frozen=True, slots=True)
class HeadWatch:
    """One head and horizon.

    Attributes:
        head: Head.
        days: Horizon.
        threshold: From which probability on accounts are flagged, or None.
        tested: Figures of the card, by metric: realised on test; empty if there are none.
        on_test: What probabilities alone expect of the test rows; None if those were not kept.
        expected: What they expect now.
    """

    head: str
    days: int
    threshold: float | None
    tested: dict[str, dict[str, float | None]]
    on_test: Expected | None
    expected: Expected

    @property
    def auc_to_hold(self) -> float:
        """ROC AUC that is compared with: realised on test, or what was expected there if that was lower; or NaN."""
        told = [self.tested.get("roc_auc", {}).get("value")]
        told += [] if self.on_test is None else [self.on_test.roc_auc.value]
        return min((value for value in told if value is not None and np.isfinite(value)), default=np.nan)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "head": self.head,
            "horizon_days": self.days,
            "threshold": self.threshold,
            "realised_on_test": self.tested,
            "expected_on_test": None if self.on_test is None else self.on_test.as_dict(),
            "expected_now": self.expected.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class Watch:
    """What monitoring found.

    Attributes:
        age_days: Days since the bundle was trained.
        accounts: Accounts of now.
        heads: Every head and horizon.
        drift: Every feature, largest drift first; empty if the test rows were not kept.
        importance: Every head's signals, largest share first; empty likewise.
        notes: What could not be judged, and why.
        reasons: Why the bundle is due; none if it is not.
    """

    age_days: int
    accounts: int
    heads: tuple[HeadWatch, ...]
    drift: tuple[FeatureDrift, ...]
    importance: tuple[SignalChange, ...]
    notes: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def due(self) -> bool:
        """Whether the bundle should be trained again."""
        return bool(self.reasons)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "due": self.due,
            "reasons": [asdict(reason) for reason in self.reasons],
            "notes": list(self.notes),
            "age_days": self.age_days,
            "accounts": self.accounts,
            "assumption": ASSUMPTION,
            "heads": [head.as_dict() for head in self.heads],
            "drift": [one.as_dict() for one in self.drift],
            "importance": [one.as_dict() for one in self.importance],
        }
