"""The trees of a LightGBM text as what exact reasons need: for every leaf, what each feature on its way asks for.

On the way to a leaf a feature may be asked about several times; together they ask for one range of it. A bundle
holds the texts besides its graph, since a graph no longer knows how many training rows went which way.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from serving.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZERO: Final = float(np.float32(1e-35))
"""LightGBM's `kZeroThreshold`: it reads every input of no greater magnitude as 0."""
LARGEST: Final = float(np.finfo(np.float64).max)
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_IS_ZERO, _MISSING_IS_NAN = 1, 2, 1, 2


class _Asked(NamedTuple):
    """What the way to a leaf asks of one feature; `share` of the training rows that got so far meet it."""

    low: float
    high: float
    missing: bool
    share: float


@dataclass(frozen=True, slots=True)
class LeafPaths:
    """n leaves whose ways ask about d features each.

    Attributes:
        value: Shape (n,), what each leaf adds to the margin.
        column: Shape (d, n), the features.
        low: Shape (d, n); a value has to be greater.
        high: Shape (d, n); a value may not be greater.
        missing: Shape (d, n), whether a missing value does.
        share: Shape (d, n), the product of the shares of training rows that went the leaf's way at that
            feature's splits; above 0, at most 1.
    """

    value: NDArray[np.float64]
    column: NDArray[np.intp]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    missing: NDArray[np.bool_]
    share: NDArray[np.float64]

    def met(self, row: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return, shape (d, n), which of the askings *row* meets, a row as `readable` returns it."""
        values = row[self.column]
        return ((values > self.low) & (values <= self.high)) | (np.isnan(values) & self.missing)


def readable(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return *row* as LightGBM reads it: what is next to zero is zero; infinities stay within every range."""
    return np.clip(np.where(np.abs(row) <= ZERO, 0.0, row), -LARGEST, LARGEST)


def read_leaf_paths(text: str, where: str) -> tuple[float, tuple[LeafPaths, ...]]:
    """Return the leaves of a LightGBM text.

    Args:
        text: What `Booster.model_to_string` gives.
        where: What to call it in an error.

    Returns:
        The sum of the leaves that trees without a split are, and all others by the number of features asked.

    Raises:
        BundleError: The text is cut, or has trees of a kind that a bundle's graph can't have.
    """
    header, *blocks = text.split("\nTree=")
    if _facts(header).get("num_tree_per_iteration") != "1" or "\naverage_output" in header:
        raise BundleError(f"{where}: is no booster with one margin, or averages its trees")
    constant = 0.0
    found: dict[int, list[tuple[float, dict[int, _Asked]]]] = defaultdict(list)
    for number, block in enumerate(blocks):
        body, ended, _ = block.partition("\nend of trees")
        if number == len(blocks) - 1 and not ended:
            raise BundleError(f"{where}: ends in the middle of its trees")
        try:
            leaves = _leaves(_facts(body))
        except (KeyError, ValueError, IndexError, ZeroDivisionError) as error:
            raise BundleError(f"{where}: tree {number} can't be read: {error!r}") from error
        for value, asked in leaves:
            if asked:
                found[len(asked)].append((value, asked))
            else:
                constant += value
    return constant, tuple(_together(found[count]) for count in sorted(found))


def _facts(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _leaves(facts: dict[str, str]) -> list[tuple[float, dict[int, _Asked]]]:
    """Return value and askings of every leaf of one tree."""
    values = [float(word) for word in facts["leaf_value"].split()]
    if facts["num_leaves"] == "1":
        return [(values[0], {})]
    if facts.get("num_cat", "0") != "0" or facts.get("is_linear", "0") != "0":
        raise ValueError("it has categorical splits or linear leaves")
    feature = [int(word) for word in facts["split_feature"].split()]
    threshold = [float(word) for word in facts["threshold"].split()]
    kinds = [int(word) for word in facts["decision_type"].split()]
    children = [
        (int(left), int(right))
        for left, right in zip(facts["left_child"].split(), facts["right_child"].split(), strict=True)
    ]
    split_count = [float(word) for word in facts["internal_count"].split()]
    leaf_count = [float(word) for word in facts["leaf_count"].split()]
    leaves: list[tuple[float, dict[int, _Asked]]] = []
    ways: list[tuple[int, dict[int, _Asked]]] = [(0, {})]
    while ways:
        node, asked = ways.pop()
        if node < 0:
            leaves.append((values[~node], asked))
            continue
        limit, kind = threshold[node], kinds[node]
        if kind & _CATEGORICAL or kind >> 2 == _MISSING_IS_ZERO:
            raise ValueError("it has categorical splits, or splits that treat zero as missing")
        # A split whose training data had no missing value reads NaN as 0.0.
        missing_left = bool(kind & _DEFAULT_LEFT) if kind >> 2 == _MISSING_IS_NAN else limit >= 0.0
        so_far = asked.get(feature[node], _Asked(-np.inf, np.inf, True, 1.0))
        for child, is_left in zip(children[node], (True, False), strict=True):
            count = split_count[child] if child >= 0 else leaf_count[~child]
            narrower = _Asked(
                low=so_far.low if is_left else max(so_far.low, limit),
                high=min(so_far.high, limit) if is_left else so_far.high,
                missing=so_far.missing and missing_left == is_left,
                share=so_far.share * count / split_count[node],
            )
            ways.append((child, {**asked, feature[node]: narrower}))
    return leaves


def _together(leaves: list[tuple[float, dict[int, _Asked]]]) -> LeafPaths:
    askings = [[*asked.values()] for _, asked in leaves]
    return LeafPaths(
        value=np.array([value for value, _ in leaves]),
        column=np.array([[*asked] for _, asked in leaves], dtype=np.intp).T.copy(),
        low=np.array([[one.low for one in line] for line in askings]).T.copy(),
        high=np.array([[one.high for one in line] for line in askings]).T.copy(),
        missing=np.array([[one.missing for one in line] for line in askings], dtype=np.bool_).T.copy(),
        share=np.array([[one.share for one in line] for line in askings]).T.copy(),
    )
