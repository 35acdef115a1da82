"""How a head does on each kind of account: by region, segment, size, tenure and plan.

Small slices are shown and flagged as small. What gaps between slices mean is the matter of
`training.evaluation.fairness`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.miscalibration import observed_to_expected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract
    from serving.bundle.manifest import Encoding
    from training.limits import SliceLimits

UNKNOWN = "unknown"
OTHER = "other"
_CATEGORIES = ("region", "segment", "plan")
_BANDS: dict[str, tuple[tuple[str, tuple[float, ...], str], ...]] = {
    # column of slices: features in order of preference, with inner edges and unit
    "size": (
        ("employees", (50, 250, 1_000), "employees"),
        ("seats", (10, 50, 250), "seats"),
    ),
    "tenure": (
        ("tenure_days", (90, 365, 730), "days"),
        ("account_age_days", (90, 365, 730), "days"),
    ),
}


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """n test rows of one head and horizon whose label is known.

    Attributes:
        account_id: Shape (n,).
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        threshold: Rows at or above it are flagged.
        columns: Per slice column, the slice of each row, shape (n,).
    """

    account_id: NDArray[np.object_]
    label: NDArray[np.float64]
    probability: NDArray[np.float64]
    threshold: float
    columns: Mapping[str, NDArray[np.object_]]


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows (a mask of shape (n,)) of one value of a slice column."""

    column: str
    name: str
    mask: NDArray[np.bool_]


def slice_columns(
    matrix: NDArray[np.float64], contract: FeatureContract, encodings: Sequence[Encoding]
) -> dict[str, NDArray[np.object_]]:
    """Return the slice of each row by `region`, `segment`, `size`, `tenure` and `plan`, as far as features tell.

    Args:
        matrix: Shape (n, model features), in the contract's order.
        contract: What the columns are.
        encodings: Categories of string features.
    """
    position = {feature.name: index for index, feature in enumerate(contract.model_features)}
    categories = {encoding.feature: encoding.categories for encoding in encodings}
    found: dict[str, NDArray[np.object_]] = {}
    for name in _CATEGORIES:
        if name in position and categories.get(name):
            names = np.array([*categories[name], UNKNOWN], dtype=object)
            codes = matrix[:, position[name]]
            found[name] = names[np.where(np.isnan(codes), len(names) - 1, codes).astype(np.intp)]
    for name, choices in _BANDS.items():
        for feature, edges, unit in choices:
            if feature in position and not np.isnan(matrix[:, position[feature]]).all():
                found[name] = _banded(matrix[:, position[feature]], edges, unit)
                break
    return found


def slices_of(columns: Mapping[str, NDArray[np.object_]], most: int) -> tuple[Slice, ...]:
    """Return the slices of all columns, the most frequent first; beyond *most* a column they become `other`."""
    found = []
    for column, values in columns.items():
        ranked = [
            name for name, _ in sorted(Counter(values.tolist()).items(), key=lambda item: (-item[1], item[0]))
        ]
        shown = ranked if len(ranked) <= most else ranked[: most - 1]
        found += [Slice(column, name, values == name) for name in shown]
        if len(shown) < len(ranked):
            label = f"{OTHER} ({len(ranked) - len(shown)})"
            found.append(Slice(column, label, ~np.isin(values.astype(str), np.array(shown, dtype=str))))
    return tuple(found)


def slice_report(rows: JudgedRows, limits: SliceLimits, *, samples: int, seed: int) -> dict[str, Any]:
    """Return the figures of every slice with 95 % intervals that resample accounts.

    Args:
        rows: Test rows.
        limits: When a slice is small.
        samples: Resamples.
        seed: Their seed.

    Returns:
        JSON-able: `threshold`, `overall` (figures), and `columns`: per slice column a list of figures with `slice`.
        Figures are `rows`, `accounts`, `events`, `small`, and, each with `value`, `low` and `high`: `roc_auc`,
        `average_precision`, `brier`, `observed_to_expected`, `selection_rate` and `recall`.
    """
    bootstrap = AccountBootstrap(rows.account_id, samples=samples, seed=seed)
    everyone = np.ones(len(rows.label), dtype=bool)
    columns: dict[str, list[dict[str, Any]]] = {}
    for one in slices_of(rows.columns, limits.most_slices):
        columns.setdefault(one.column, []).append(
            {"slice": one.name, **_figures(rows, one.mask, bootstrap, limits)}
        )
    return {
        "threshold": rows.threshold,
        "overall": _figures(rows, everyone, bootstrap, limits),
        "columns": columns,
    }


def is_small(accounts: int, events: int, limits: SliceLimits) -> bool:
    """Return whether a slice with so many accounts and events tells too little to judge by."""
    return accounts < limits.min_accounts or events < limits.min_events


def _figures(
    rows: JudgedRows, mask: NDArray[np.bool_], bootstrap: AccountBootstrap, limits: SliceLimits
) -> dict[str, Any]:
    label, probability, threshold = rows.label[mask], rows.probability[mask], rows.threshold
    flagged = (probability >= threshold).astype(np.float64)
    figures: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "roc_auc": lambda weight: metrics.roc_auc(label, probability, weight[:, mask]),
        "average_precision": lambda weight: metrics.average_precision(label, probability, weight[:, mask]),
        "brier": lambda weight: metrics.brier(label, probability, weight[:, mask]),
        "observed_to_expected": lambda weight: observed_to_expected(label, probability, weight[:, mask]),
        "selection_rate": lambda weight: _share(weight[:, mask], flagged),
        "recall": lambda weight: metrics.recall(label, probability, threshold, weight[:, mask]),
    }
    accounts, events = len(set(rows.account_id[mask].tolist())), int(label.sum())
    return {
        "rows": int(mask.sum()),
        "accounts": accounts,
        "events": events,
        "small": is_small(accounts, events, limits),
        **{name: bootstrap.estimate(figure).as_dict() for name, figure in figures.items()},
    }


def _share(weight: NDArray[np.float64], flagged: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(total > 0, weight @ flagged / total, np.nan), dtype=np.float64)


def _banded(values: NDArray[np.float64], edges: tuple[float, ...], unit: str) -> NDArray[np.object_]:
    names = [f"under {edges[0]:g} {unit}"]
    names += [f"{low:g} to {high - 1:g} {unit}" for low, high in itertools.pairwise(edges)]
    names += [f"{edges[-1]:g} {unit} or more", UNKNOWN]
    index = np.where(
        np.isnan(values), len(names) - 1, np.searchsorted(edges, np.nan_to_num(values), side="right")
    )
    return np.array(names, dtype=object)[index]
