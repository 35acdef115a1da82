"""Picks the signals that speak loudest for and against leaving, one for each thing that features speak about.

Windows of one signal (log-ins of 7 and of 28 days) are correlated and share their credit; added up by signal
they speak once, through the feature that pushes hardest in the direction of their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.scoring.sayings import Saying, Sayings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import ContractFeature
    from serving.features.rows import ContextValue

SHOWN = 3
# A smaller change of the log-odds changes a probability by less than 0.13 percentage points: nothing to act
# on.
SMALLEST_CONTRIBUTION = 0.005
PRODUCT_ROWS = 64
_DIGITS = 4


class Signal(NamedTuple):
    """One signal of one account.

    Attributes:
        saying: What is said, and of what.
        contribution: The group's contribution in log-odds; positive raises the risk.
    """

    saying: Saying
    contribution: float

    @property
    def signal(self) -> str:
        """Key of the group of features that speak about the same thing."""
        return self.saying.signal

    @property
    def feature(self) -> str:
        """The feature that speaks for the group."""
        return self.saying.feature

    @property
    def value(self) -> ContextValue:
        """That feature's value; None if it is missing."""
        return self.saying.value

    @property
    def text(self) -> str:
        """The sentence."""
        return self.saying.text

    def to_dict(self) -> dict[str, ContextValue]:
        """Return the value as the HTTP answer shows it."""
        said, contribution = self
        return {
            "signal": said.signal,
            "feature": said.feature,
            "value": said.value,
            "text": said.text,
            "contribution": contribution,
        }


class Reasons(NamedTuple):
    """What is told of the reasons for one score.

    Attributes:
        raising: Signals that raise the risk, strongest first.
        lowering: Signals that lower it, strongest first.
        others: Sum of the contributions of all signals that are not among them, in log-odds.
    """

    raising: tuple[Signal, ...]
    lowering: tuple[Signal, ...]
    others: float


@dataclass(frozen=True, slots=True, eq=False)
class SignalTables:
    """What picking signals needs to know of a contract, made once.

    Attributes:
        membership: Float32, shape (features, g), 1 where a feature belongs to a signal.
        members: Columns of each signal's features.
        padded_members: The same as an array of shape (g, most members); the first again where there are no more.
        features: Feature names in column order.
        texts: Whether a column is of strings.
        sayings: What each column says.
        text_columns: `texts` as an array.
    """

    membership: NDArray[np.float32]
    members: tuple[tuple[int, ...], ...]
    padded_members: NDArray[np.intp]
    features: tuple[str, ...]
    texts: tuple[bool, ...]
    sayings: tuple[Sayings, ...]
    text_columns: NDArray[np.bool_]


def make_signal_tables(features: Sequence[ContractFeature]) -> SignalTables:
    """Return the tables for the model features of a contract, in column order."""
    names = tuple(dict.fromkeys(feature.signal for feature in features))
    members = tuple(
        tuple(column for column, feature in enumerate(features) if feature.signal == name) for name in names
    )
    membership = np.zeros((len(features), len(names)), dtype=np.float32)
    padded = np.empty((len(names), max(map(len, members), default=0)), dtype=np.intp)
    for group, columns in enumerate(members):
        membership[list(columns), group] = 1.0
        padded[group] = columns[0]
        padded[group, : len(columns)] = columns
    return SignalTables(
        membership=membership,
        members=members,
        padded_members=padded,
        features=tuple(feature.name for feature in features),
        texts=tuple(feature.dtype == "String" for feature in features),
        sayings=tuple(Sayings(feature) for feature in features),
        text_columns=np.array([feature.dtype == "String" for feature in features], dtype=np.bool_),
    )


def strongest_signals(
    tables: SignalTables,
    contributions: NDArray[np.float32],
    matrix: NDArray[np.float64],
    context: Sequence[dict[str, ContextValue]],
) -> list[Reasons]:
    """Return, for each account, up to three signals that raise its risk and up to three that lower it.

    Args:
        tables: See `make_signal_tables`.
        contributions: Shape (n, features), in log-odds.
        matrix: Shape (n, features), the values.
        context: n dictionaries that hold string features by name.

    Returns:
        n reasons; ties go to the signal that comes first in the contract.
    """
    if len(contributions) == 1:  # arrays of one row cost more than lists
        sums = contributions @ tables.membership
        return [_of_one(tables, sums[0].tolist(), contributions[0].tolist(), matrix[0], context[0])]
    return _of_many(tables, contributions, matrix, context)


def _of_one(
    tables: SignalTables,
    sums: list[float],
    contributions: list[float],
    values: NDArray[np.float64],
    words: dict[str, ContextValue],
) -> Reasons:
    up = [group for group, total in enumerate(sums) if total >= SMALLEST_CONTRIBUTION]
    up.sort(key=sums.__getitem__, reverse=True)
    down = [group for group, total in enumerate(sums) if total <= -SMALLEST_CONTRIBUTION]
    down.sort(key=sums.__getitem__)
    push, members = contributions.__getitem__, tables.members
    raising = [(group, max(members[group], key=push)) for group in up[:SHOWN]]
    lowering = [(group, min(members[group], key=push)) for group in down[:SHOWN]]

    left = sum(contributions)

    def told(picked: list[tuple[int, int]]) -> tuple[Signal, ...]:
        nonlocal left
        signals = []
        for group, column in picked:
            contribution = round(sums[group], _DIGITS)
            left -= contribution
            signals.append(Signal(_said(tables, column, float(values[column]), words), contribution))
        return tuple(signals)

    return Reasons(told(raising), told(lowering), round(left, _DIGITS) + 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """The signals to show of n accounts, as arrays of shape (2, shown, n) but for the last.

    The first index is 0 for what raises the risk and 1 for what lowers it; of the second, the strongest comes first.

    Attributes:
        counted: Whether there is such a signal; what follows means nothing where there is none.
        columns: Column of the feature that speaks.
        contributions: The group's contribution in log-odds, rounded.
        others: Shape (n,), what all other groups contribute together, rounded.
    """

    counted: NDArray[np.bool_]
    columns: NDArray[np.intp]
    contributions: NDArray[np.float64]
    others: NDArray[np.float64]


def pick_signals(tables: SignalTables, contributions: NDArray[np.float32]) -> Picked:
    """Return which signals to show of several accounts; see `strongest_signals`."""
    n, n_features = contributions.shape
    left = _sums_of_both_signs(tables, contributions)
    flat, n_groups = left.reshape(-1), left.shape[2]
    starts = np.arange(0, 2 * n * n_groups, n_groups).reshape(2, n)
    shown = min(SHOWN, n_groups)
    groups = np.empty((2, shown, n), dtype=np.intp)
    totals = np.empty((2, shown, n), dtype=np.float64)
    for place in range(shown):  # the first of the largest, thrice: cheaper than sorting
        best = left.argmax(axis=2)
        groups[:, place] = best
        best += starts
        totals[:, place] = flat.take(best)
        flat[best] = -np.inf
    counted = totals >= np.float32(SMALLEST_CONTRIBUTION)
    candidates = tables.padded_members.take(groups, axis=0)
    pushes = contributions.take(candidates + np.arange(0, n * n_features, n_features)[:, None])
    np.negative(pushes[1], out=pushes[1])
    speakers = pushes.argmax(axis=3)
    speakers += np.arange(0, candidates.size, candidates.shape[3]).reshape(groups.shape)
    # Of what was a float32, this rounds as `round` does: times 10,000 it is exact in a float64.
    signed: NDArray[np.float64] = totals.round(_DIGITS)
    np.negative(signed[1], out=signed[1])
    raised, lowered = (signed * counted).sum(axis=1)
    others = contributions.sum(axis=1, dtype=np.float64) - raised - lowered
    return Picked(
        counted=counted,
        columns=candidates.reshape(-1).take(speakers),
        contributions=signed,
        others=others.round(_DIGITS) + 0.0,  # no zero has a sign
    )


def _sums_of_both_signs(tables: SignalTables, contributions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return contributions by signal and the same with the other sign, shape (2, n, g).

    They are summed by parts: larger products would be shared out to threads, which costs more.
    """
    n = len(contributions)
    both = np.empty((2, n, tables.membership.shape[1]), dtype=np.float32)
    for start in range(0, n, PRODUCT_ROWS):
        part = slice(start, start + PRODUCT_ROWS)
        np.matmul(contributions[part], tables.membership, out=both[0, part])
    np.negative(both[0], out=both[1])
    return both


def _of_many(
    tables: SignalTables,
    contributions: NDArray[np.float32],
    matrix: NDArray[np.float64],
    context: Sequence[dict[str, ContextValue]],
) -> list[Reasons]:
    """Return the signals of n accounts: picked for all at once, then told."""
    n = len(contributions)
    picked = pick_signals(tables, contributions)
    side, account, place = picked.counted.swapaxes(1, 2).nonzero()  # one by one, the strongest first
    column = picked.columns[side, place, account]
    cells = zip(
        account.tolist(), column.tolist(), matrix[account, column].tolist(),
        picked.contributions[side, place, account].tolist(), strict=True,
    )  # fmt: skip
    sayings, texts, features = tables.sayings, tables.texts, tables.features
    signals = [  # as `_said`, without a call for each
        Signal(
            sayings[column][
                context[account].get(features[column])
                if texts[column]
                else value
                if value - value == 0.0
                else None
            ],
            total,
        )
        for account, column, value, total in cells
    ]
    ends = picked.counted.sum(axis=1).ravel().cumsum().tolist()
    told = [tuple(signals[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    return list(map(Reasons, told[:n], told[n:], picked.others.tolist()))


def _said(tables: SignalTables, column: int, number: float, words: dict[str, ContextValue]) -> Saying:
    """Return what *column* of an account says, whose value there is *number*, or among *words* if it is a text."""
    if tables.texts[column]:
        return tables.sayings[column][words.get(tables.features[column])]
    return tables.sayings[column][number if number - number == 0.0 else None]
