"""Picks the signals that speak loudest for and against leaving, one for each thing that features speak about.

Windows of one signal (log-ins of 7 and of 28 days) are correlated and share their credit; added up by signal
they speak once, through the feature that pushes hardest in the direction of their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from serving.scoring.sayings import Sayings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import ContractFeature
    from serving.features.rows import ContextValue

SHOWN = 3
# A smaller change of the log-odds changes a probability by less than 0.13 percentage points: nothing to act
# on.
SMALLEST_CONTRIBUTION = 0.005
_DIGITS = 4


class Signal(NamedTuple):
    """One signal of one account.

    Attributes:
        signal: Key of the group of features that speak about the same thing.
        feature: The feature that speaks for the group.
        value: That feature's value; None if it is missing.
        contribution: The group's contribution in log-odds; positive raises the risk.
        text: The sentence.
    """

    signal: str
    feature: str
    value: ContextValue
    contribution: float
    text: str

    def to_dict(self) -> dict[str, ContextValue]:
        """Return the value as the HTTP answer shows it."""
        return {
            "signal": self.signal,
            "feature": self.feature,
            "value": self.value,
            "contribution": self.contribution,
            "text": self.text,
        }


SignalPair: TypeAlias = tuple[tuple[Signal, ...], tuple[Signal, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class SignalTables:
    """What picking signals needs to know of a contract, made once.

    Attributes:
        names: The g signals.
        membership: Float32, shape (features, g), 1 where a feature belongs to a signal.
        members: Columns of each signal's features.
        padded_members: The same as an array of shape (g, most members); `features` where there are no more.
        features: Feature names in column order.
        texts: Whether a column is of strings.
        sayings: What each column says.
    """

    names: tuple[str, ...]
    membership: NDArray[np.float32]
    members: tuple[tuple[int, ...], ...]
    padded_members: NDArray[np.intp]
    features: tuple[str, ...]
    texts: tuple[bool, ...]
    sayings: tuple[Sayings, ...]


def make_signal_tables(features: Sequence[ContractFeature]) -> SignalTables:
    """Return the tables for the model features of a contract, in column order."""
    names = tuple(dict.fromkeys(feature.signal for feature in features))
    members = tuple(
        tuple(column for column, feature in enumerate(features) if feature.signal == name) for name in names
    )
    membership = np.zeros((len(features), len(names)), dtype=np.float32)
    padded = np.full((len(names), max(map(len, members), default=0)), len(features), dtype=np.intp)
    for group, columns in enumerate(members):
        membership[list(columns), group] = 1.0
        padded[group, : len(columns)] = columns
    return SignalTables(
        names=names,
        membership=membership,
        members=members,
        padded_members=padded,
        features=tuple(feature.name for feature in features),
        texts=tuple(feature.dtype == "String" for feature in features),
        sayings=tuple(Sayings(feature) for feature in features),
    )


def strongest_signals(
    tables: SignalTables,
    contributions: NDArray[np.float32],
    matrix: NDArray[np.float64],
    context: Sequence[dict[str, ContextValue]],
) -> list[SignalPair]:
    """Return, for each account, up to three signals that raise its risk and up to three that lower it.

    Args:
        tables: See `make_signal_tables`.
        contributions: Shape (n, features), in log-odds.
        matrix: Shape (n, features), the values.
        context: n dictionaries that hold string features by name.

    Returns:
        n pairs of (raising, lowering), the strongest first; ties go to the signal that comes first in the
        contract.
    """
    sums = contributions @ tables.membership
    if len(sums) == 1:  # arrays of one row cost more than lists
        return [_of_one(tables, sums[0].tolist(), contributions[0].tolist(), matrix[0], context[0])]
    raising = _of_many(tables, sums, contributions, matrix, context, 1.0)
    lowering = _of_many(tables, sums, contributions, matrix, context, -1.0)
    return list(zip(raising, lowering, strict=True))


def _of_one(
    tables: SignalTables,
    sums: list[float],
    contributions: list[float],
    values: NDArray[np.float64],
    words: dict[str, ContextValue],
) -> SignalPair:
    up = [group for group, total in enumerate(sums) if total >= SMALLEST_CONTRIBUTION]
    up.sort(key=sums.__getitem__, reverse=True)
    down = [group for group, total in enumerate(sums) if total <= -SMALLEST_CONTRIBUTION]
    down.sort(key=sums.__getitem__)
    push, members = contributions.__getitem__, tables.members
    raising = [(group, max(members[group], key=push)) for group in up[:SHOWN]]
    lowering = [(group, min(members[group], key=push)) for group in down[:SHOWN]]
    return (
        _told(
            tables,
            [
                (group, column, round(sums[group], _DIGITS), float(values[column]))
                for group, column in raising
            ],
            words,
        ),
        _told(
            tables,
            [
                (group, column, round(sums[group], _DIGITS), float(values[column]))
                for group, column in lowering
            ],
            words,
        ),
    )


def _of_many(
    tables: SignalTables,
    sums: NDArray[np.float32],
    contributions: NDArray[np.float32],
    matrix: NDArray[np.float64],
    context: Sequence[dict[str, ContextValue]],
    direction: float,
) -> list[tuple[Signal, ...]]:
    """Return the signals of n accounts in one direction: picked for all at once, told one by one."""
    n = len(sums)
    rows = np.arange(n)
    left = sums * np.float32(direction)
    groups = np.empty((n, min(SHOWN, len(tables.names))), dtype=np.intp)
    for place in range(groups.shape[1]):  # the first of the largest, thrice: cheaper than sorting
        groups[:, place] = left.argmax(axis=1)
        left[rows, groups[:, place]] = -np.inf
    pushes = np.full((n, contributions.shape[1] + 1), -np.inf, dtype=np.float32)
    np.multiply(contributions, np.float32(direction), out=pushes[:, :-1])
    candidates = tables.padded_members[groups]
    speakers = pushes[rows[:, None, None], candidates].argmax(axis=2)
    columns = np.take_along_axis(candidates, speakers[:, :, None], axis=2)[:, :, 0]
    totals = np.take_along_axis(sums, groups, axis=1)
    counts = (totals * np.float32(direction) >= SMALLEST_CONTRIBUTION).sum(axis=1).tolist()
    # Of what was a float32, this rounds as `round` does: times 10,000 it is exact in a float64.
    shown = np.round(totals.astype(np.float64), _DIGITS).tolist()
    values = matrix[rows[:, None], columns].tolist()
    told = zip(groups.tolist(), columns.tolist(), shown, values, counts, context, strict=True)
    return [
        _told(tables, list(zip(group, column, total, value, strict=True))[:count], words)
        for group, column, total, value, count, words in told
    ]


def _told(
    tables: SignalTables, picked: list[tuple[int, int, float, float]], words: dict[str, ContextValue]
) -> tuple[Signal, ...]:
    """Return the signals of one account of which group, speaking column, contribution and value are known."""
    names, features, texts, sayings = tables.names, tables.features, tables.texts, tables.sayings
    signals = []
    for group, column, total, number in picked:
        feature = features[column]
        if texts[column]:
            value, text = sayings[column][words.get(feature)]
        else:
            value, text = sayings[column][number if number - number == 0.0 else None]
        signals.append(Signal(names[group], feature, value, total, text))
    return tuple(signals)
