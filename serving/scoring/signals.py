"""Picks the signals that speak loudest for and against leaving, one for each thing that features speak about.

Windows of one signal (log-ins of 7 and of 28 days) are correlated and share their credit; added up by signal
they speak once, through the feature that pushes hardest in the direction of their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.scoring.sentences import Template, make_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import ContractFeature
    from serving.features.rows import ContextValue

SHOWN = 3
# A smaller change of the log-odds changes a probability by less than 0.13 percentage points: nothing to act
# on.
SMALLEST_CONTRIBUTION = 0.005
_CONTRIBUTION_DIGITS = 4
_VALUE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Signal:
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


@dataclass(frozen=True, slots=True, eq=False)
class SignalTables:
    """What picking signals needs to know of a contract, made once.

    Attributes:
        names: The g signals.
        membership: Float32, shape (features, g), 1 where a feature belongs to a signal.
        members: Columns of each signal's features.
        features: Feature names in column order.
        dtypes: Their types.
        templates: Their sentences.
    """

    names: tuple[str, ...]
    membership: NDArray[np.float32]
    members: tuple[tuple[int, ...], ...]
    features: tuple[str, ...]
    dtypes: tuple[str, ...]
    templates: tuple[Template, ...]


def make_signal_tables(features: Sequence[ContractFeature]) -> SignalTables:
    """Return the tables for the model features of a contract, in column order."""
    names = tuple(dict.fromkeys(feature.signal for feature in features))
    members = tuple(
        tuple(column for column, feature in enumerate(features) if feature.signal == name) for name in names
    )
    membership = np.zeros((len(features), len(names)), dtype=np.float32)
    for group, columns in enumerate(members):
        membership[list(columns), group] = 1.0
    return SignalTables(
        names=names,
        membership=membership,
        members=members,
        features=tuple(feature.name for feature in features),
        dtypes=tuple(feature.dtype for feature in features),
        templates=tuple(make_template(feature) for feature in features),
    )


def strongest_signals(
    tables: SignalTables,
    contributions: NDArray[np.float32],
    matrix: NDArray[np.float64],
    context: Sequence[dict[str, ContextValue]],
) -> list[tuple[tuple[Signal, ...], tuple[Signal, ...]]]:
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
    # Sorting all rows at once is cheap, also for one; what follows is quicker on lists than on small arrays.
    most = np.argsort(-sums, axis=1, kind="stable")[:, :SHOWN].tolist()
    least = np.argsort(sums, axis=1, kind="stable")[:, :SHOWN].tolist()
    rows = zip(most, least, sums.tolist(), contributions.tolist(), matrix, context, strict=True)
    return [
        (
            _signals(tables, up, _Row(1.0, totals, pushes, values, words)),
            _signals(tables, down, _Row(-1.0, totals, pushes, values, words)),
        )
        for up, down, totals, pushes, values, words in rows
    ]


class _Row(NamedTuple):
    """One account, seen in one direction."""

    direction: float
    totals: list[float]
    contributions: list[float]
    values: NDArray[np.float64]
    context: dict[str, ContextValue]


def _signals(tables: SignalTables, groups: list[int], row: _Row) -> tuple[Signal, ...]:
    found = []
    direction, totals, contributions, values, context = row
    for group in groups:
        total = totals[group]
        if total * direction < SMALLEST_CONTRIBUTION:
            break
        columns = tables.members[group]
        column = columns[0]
        for other in columns[1:]:
            if contributions[other] * direction > contributions[column] * direction:
                column = other
        value = feature_value(tables, column, float(values[column]), context)
        found.append(
            Signal(
                signal=tables.names[group],
                feature=tables.features[column],
                value=value,
                contribution=round(total, _CONTRIBUTION_DIGITS),
                text=tables.templates[column].say(value),
            )
        )
    return tuple(found)


def feature_value(
    tables: SignalTables, column: int, number: float, context: dict[str, ContextValue]
) -> ContextValue:
    """Return a matrix cell in the feature's own type; None where it is missing or not finite."""
    dtype = tables.dtypes[column]
    if dtype == "String":
        return context.get(tables.features[column])
    if number - number != 0.0:  # NaN and infinities
        return None
    if dtype == "Bool":
        return number != 0.0
    if dtype == "Int64" and number.is_integer():
        return int(number)
    return round(number, _VALUE_DIGITS)
