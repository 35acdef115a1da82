"""Exact reasons for a score: TreeSHAP computed from the LightGBM texts of the bundle, without LightGBM.

The reasons of the graph are looked up by leaf, averaged over the rows that end there. These are the
path-dependent Shapley values of the row itself (Lundberg et al. 2020, "From local explanations to global
understanding with explainable AI for trees", Nature Machine Intelligence 2, 56-67), as LightGBM's `pred_contrib`
gives them, put together over a head's intervals as the graph does.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from serving.bundle.manifest import BOOSTERS_FOLDER
from serving.errors import BundleError, ExactReasonsUnavailable, UnknownAccount
from serving.scoring.engine import Asked, any_left, finish, shown_base
from serving.scoring.interval_weights import interval_weights, log_odds, probability
from serving.scoring.leaf_paths import LeafPaths, read_leaf_paths, readable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle
    from serving.bundle.manifest import Calibration
    from serving.features.rows import FeatureRows
    from serving.scoring.result import AccountScore

METHOD: Final = "exact_treeshap"
MOST_ACCOUNTS: Final = 20
"""Accounts of one request that get exact reasons; each takes one to some milliseconds."""
LARGEST_DIFFERENCE: Final = 1e-9
"""Texts and graph of one bundle give the same probability but for this."""
_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, eq=False)
class ExactReasons:
    """The score head's intervals up to the scored horizon.

    Attributes:
        boosters: The different boosters: the margin of trees without a split, and all other leaves.
        intervals: Which booster each interval uses.
        calibrations: Calibration of each interval's margin.
        segment: Column by whose codes calibrations have offsets; None if they have none.
        base: The calibrated margin of each interval where every tree gives its mean over the training rows, without
            any offset.
    """

    boosters: tuple[tuple[float, tuple[LeafPaths, ...]], ...]
    intervals: tuple[int, ...]
    calibrations: tuple[Calibration, ...]
    segment: int | None
    base: tuple[float, ...]

    @property
    def base_log_odds(self) -> float:
        """What all contributions are added to."""
        return log_odds(self.base)

    @property
    def base_probability(self) -> float:
        """The probability of that."""
        return probability(self.base)

    def probability(self, row: NDArray[np.float64]) -> float:
        """Return the probability of the event by the scored horizon, for a row of shape (features,)."""
        margins = [_margin(constant, paths, readable(row)) for constant, paths in self.boosters]
        return probability(self._calibrated(margins, self._offsets(row)))

    def contributions(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each feature's contribution in log-odds, shape (rows, features).

        The Shapley values of each interval's margin, and the offset of the account's segment as a contribution of that
        feature, are weighted by `interval_weights` and added up, as the graph does it.

        Args:
            matrix: Float64, shape (rows, features), missing is NaN.
        """
        found = np.zeros(matrix.shape)
        for number, row in enumerate(matrix):
            values, offsets = readable(row), self._offsets(row)
            margins = [_margin(constant, paths, values) for constant, paths in self.boosters]
            of_intervals = interval_weights(self._calibrated(margins, offsets), self.base)
            if self.segment is not None:
                found[number, self.segment] += np.dot(of_intervals, offsets)
            weights = np.zeros(len(self.boosters))
            for booster, platt, weight in zip(self.intervals, self.calibrations, of_intervals, strict=True):
                weights[booster] += platt.slope * weight
            for weight, (_, leaves) in zip(weights, self.boosters, strict=True):
                for paths in leaves:
                    found[number] += weight * shapley_values(paths, values)
        return found

    def _calibrated(self, margins: Sequence[float], offsets: Sequence[float]) -> list[float]:
        """Return each interval's margin, calibrated, of the margins of the boosters."""
        return [
            platt.slope * margins[booster] + platt.intercept + offset
            for booster, platt, offset in zip(self.intervals, self.calibrations, offsets, strict=True)
        ]

    def _offsets(self, row: NDArray[np.float64]) -> list[float]:
        """Return what the row's segment adds to each interval; 0 for a code that is missing or not known."""
        code = math.nan if self.segment is None else float(row[self.segment])
        return [
            platt.offsets[int(code)] if 0.0 <= code < len(platt.offsets) else 0.0
            for platt in self.calibrations
        ]


def shapley_values(paths: LeafPaths, row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what *paths* contribute to the Shapley values of the margin, shape (features,).

    Of a leaf of value v whose way asks about d features, where o_i is 1 if the row meets what is asked of
    feature i and 0 if not, and z_i is the share of training rows that went the leaf's way there, the Shapley
    value of feature i is ``v (o_i - z_i) sum_S |S|! (d-1-|S|)! / d! prod_{j in S} o_j prod_{j not in S} z_j``
    over the sets S of the other features. As ``s! (d-1-s)! / d!`` is the integral of ``t^s (1-t)^(d-1-s)``
    over t from 0 to 1, the sum is the integral of ``prod_{j != i} (t o_j + (1-t) z_j)``: a polynomial of
    degree d - 1, which Gauss and Legendre's rule integrates exactly with (d + 1) // 2 points.

    Args:
        paths: n leaves.
        row: Shape (features,), as `readable` returns it.
    """
    met = paths.met(row).astype(np.float64)
    points, weights = _points(len(met))
    factors = paths.share + points[:, None, None] * (met - paths.share)  # (points, d, n), above 0
    products = factors.prod(axis=1) * weights[:, None]
    others = (products[:, None, :] / factors).sum(axis=0)
    values = paths.value * (met - paths.share) * others
    sums = np.bincount(paths.column.ravel(), weights=values.ravel(), minlength=len(row))
    return np.asarray(sums, dtype=np.float64)


@functools.cache
def _points(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points and weights that integrate polynomials of degree *count* - 1 from 0 to 1."""
    points, weights = np.polynomial.legendre.leggauss((count + 1) // 2)
    return (points + 1.0) / 2.0, weights / 2.0


def _margin(constant: float, leaves: Sequence[LeafPaths], row: NDArray[np.float64]) -> float:
    return constant + sum(float(paths.value[paths.met(row).all(axis=0)].sum()) for paths in leaves)


def _expected(constant: float, leaves: Sequence[LeafPaths]) -> float:
    """Return the mean margin over the training rows: a leaf's share of them is the product of those on its way."""
    return constant + sum(float(paths.value @ paths.share.prod(axis=0)) for paths in leaves)


@functools.lru_cache(maxsize=4)
def exact_reasons(bundle: Bundle) -> ExactReasons:
    """Return the exact reasons of *bundle*, read on the first call for it, which takes some tenths of a second.

    Raises:
        ExactReasonsUnavailable: The bundle was made without what they need, or holds it damaged.
    """
    head = bundle.manifest.head(bundle.manifest.score_head)
    scored = head.horizons_days.index(bundle.manifest.score_horizon_days) + 1
    if len(head.calibrations) != len(head.horizons_days):
        raise ExactReasonsUnavailable(f"{bundle.tag} was made by a release that kept no calibrations")
    boosters: dict[str, int] = {}
    intervals = []
    found: list[tuple[float, tuple[LeafPaths, ...]]] = []
    try:
        for days in head.horizons_days[:scored]:
            file = bundle.path / BOOSTERS_FOLDER / f"{head.name}_{days}d.txt"
            text = file.read_text(encoding="utf-8")
            if text not in boosters:
                boosters[text] = len(found)
                found.append(read_leaf_paths(text, str(file)))
            intervals.append(boosters[text])
    except (OSError, UnicodeDecodeError, BundleError) as error:
        raise ExactReasonsUnavailable(f"{bundle.tag} has no LightGBM text to explain by: {error}") from error
    names = [feature.name for feature in bundle.manifest.contract.model_features]
    expected = [_expected(constant, leaves) for constant, leaves in found]
    reasons = ExactReasons(
        boosters=tuple(found),
        intervals=tuple(intervals),
        calibrations=head.calibrations[:scored],
        segment=None if head.segment_feature is None else names.index(head.segment_feature),
        base=tuple(
            platt.slope * expected[booster] + platt.intercept
            for booster, platt in zip(intervals, head.calibrations, strict=False)
        ),
    )
    _require_same_model(reasons, bundle, scored - 1)
    return reasons


def _require_same_model(reasons: ExactReasons, bundle: Bundle, column: int) -> None:
    """Insist that texts and graph score alike.

    Raises:
        ExactReasonsUnavailable: They don't.
    """
    rows = np.vstack([np.full(bundle.n_features, np.nan), np.zeros(bundle.n_features)])
    by_graph = bundle.run(rows, contributions=False).probabilities[bundle.manifest.score_head][:, column]
    if (
        max(abs(reasons.probability(row) - p) for row, p in zip(rows, by_graph, strict=True))
        > LARGEST_DIFFERENCE
    ):
        raise ExactReasonsUnavailable(f"{bundle.tag} holds LightGBM texts of another model than its graph")


def score_exactly(
    rows: FeatureRows,
    bundle: Bundle,
    now: dt.datetime,
    clock_label: str | None = None,
    *,
    intervals: bool = False,
) -> list[AccountScore | UnknownAccount]:
    """Return the score of every account of *rows* with exact reasons; else as `score_rows`.

    Raises:
        ExactReasonsUnavailable: See `exact_reasons`.
        ValueError: *now* is naive, or the matrix does not have the contract's columns.
    """
    asked = Asked.of(rows)
    reasons = exact_reasons(bundle)
    if not asked.known:
        return asked.answers([])
    outputs = bundle.run(
        asked.matrix, contributions=False, intervals=intervals, departed=any_left(bundle, asked.matrix)
    )
    contributions = reasons.contributions(asked.matrix)
    outputs = dataclasses.replace(outputs, contributions=contributions.astype(np.float32))
    names = [feature.name for feature in bundle.manifest.contract.model_features]
    explained = iter(np.round(contributions, _DIGITS).tolist())
    base = shown_base(reasons.base_log_odds, reasons.base_probability)
    return [
        result
        if isinstance(result, UnknownAccount)
        else result._replace(
            signals_method=METHOD,
            signals_base=base,
            contributions=dict(zip(names, next(explained), strict=True)),
        )
        for result in finish(asked, outputs, bundle, now, clock_label)
    ]
