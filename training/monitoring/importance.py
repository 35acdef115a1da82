"""Which signals a head goes by, and whether that has changed since it was judged.

A signal's share is its mean absolute contribution over that of all signals. The change has an interval that resamples
accounts, widened so that those of all signals hold together: what noise explains is not called a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np

from serving.bundle.manifest import BOOSTERS_FOLDER
from training.evaluation.bootstrap import AccountBootstrap, Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.bundle.manifest import Head


@dataclass(frozen=True, slots=True)
class SignalChange:
    """The share of one signal in what a head says.

    Attributes:
        head: Head.
        signal: Signal.
        before: Its share on the rows that the bundle was judged on.
        now: Its share now.
        change: Now less before, with its interval.
    """

    head: str
    signal: str
    before: float
    now: float
    change: Estimate

    def beyond(self, limit: float) -> bool:
        """Return whether the share surely changed by more than *limit*."""
        return self.change.low > limit or self.change.high < -limit

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "head": self.head,
            "signal": self.signal,
            "before": round(self.before, 6),
            "now": round(self.now, 6),
            "change": self.change.as_dict(),
        }


def signal_changes(
    head: str,
    signals: Sequence[str],
    before: tuple[NDArray[np.float64], NDArray[np.object_]],
    now: tuple[NDArray[np.float64], NDArray[np.object_]],
    *,
    samples: int,
    seed: int,
) -> tuple[SignalChange, ...]:
    """Return every signal's share before and now, largest now first.

    Args:
        head: Head.
        signals: The signal of each of f features.
        before: Contributions of shape (n, f), and the n rows' accounts.
        now: The same of now.
        samples: Resamples of accounts.
        seed: Their seed.
    """
    names = sorted(set(signals))
    groups = np.zeros((len(signals), len(names)))
    groups[np.arange(len(signals)), [names.index(signal) for signal in signals]] = 1.0
    shares, bootstraps = [], []
    for offset, (contributions, account_id) in enumerate((before, now)):
        bootstrap = AccountBootstrap(
            account_id, samples=samples, seed=seed + offset, comparisons=max(2, len(names))
        )
        sums = bootstrap.sums(np.abs(contributions @ groups))
        total = sums.sum(axis=1, keepdims=True)
        shares.append(np.divide(sums, total, out=np.zeros_like(sums), where=total > 0))
        bootstraps.append(bootstrap)
    changes = shares[1] - shares[0]
    found = [
        SignalChange(
            head=head,
            signal=name,
            before=float(shares[0][0, column]),
            now=float(shares[1][0, column]),
            change=bootstraps[0].summarise(changes[:, column]),
        )
        for column, name in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda one: -one.now))


def booster_contributions(
    folder: Path, head: Head, matrix: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return exact TreeSHAP of a head whose contributions the graph does not give, shape (n, f), or None.

    It is the sum over intervals of the contributions to the interval's log-odds, times the slope of its calibration.
    None if the bundle lacks a LightGBM text.

    Args:
        folder: The bundle's.
        head: Head.
        matrix: Shape (n, f), as the graph reads it.
    """
    total = np.zeros(matrix.shape)
    for index, days in enumerate(head.horizons_days):
        file = folder / BOOSTERS_FOLDER / f"{head.name}_{days}d.txt"
        if not file.is_file():
            return None
        slope = head.calibrations[index].slope if head.calibrations else 1.0
        booster = lgb.Booster(model_str=file.read_text(encoding="utf-8"))
        told = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=1), dtype=np.float64)
        total += slope * told[:, :-1]
    return total
