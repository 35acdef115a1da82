"""Features of some accounts as the rest of serving sees them, wherever they were read from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ContextValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Features of n accounts.

    Attributes:
        account_ids: The accounts, n of them, in the order in which they were asked for.
        known: Shape (n,), whether the store holds anything of the account.
        matrix: Shape (n, model features), float64, columns in the order of `contract.model_features`; missing
            is NaN, a bool is 0 or 1, a string is encoded as the manifest says.
        as_of: Shape (n, views), the event time of each view's row in epoch seconds, NaN where there is none;
            columns in the order of `contract.views`.
        context: n dictionaries: every `policy` feature and every string feature by name, None where missing.
    """

    account_ids: tuple[str, ...]
    known: NDArray[np.bool_]
    matrix: NDArray[np.float64]
    as_of: NDArray[np.float64]
    context: Sequence[dict[str, ContextValue]]

    def replaced(self, places: Sequence[int], others: FeatureRows) -> FeatureRows:
        """Return these rows with *others* at *places*; the arrays of these are reused."""
        self.known[places] = others.known
        self.matrix[places] = others.matrix
        self.as_of[places] = others.as_of
        instead = dict(zip(places, others.context, strict=True))
        return replace(self, context=ReplacedContexts(self.context, instead))


class Contexts(Sequence[dict[str, ContextValue]]):
    """What accounts' contexts are made from; one is made when it is asked for, and few are."""

    __slots__ = ()

    @abstractmethod
    def of(self, place: int) -> dict[str, ContextValue]:
        """Return the context of the account at *place*, counted from 0."""

    def value(self, place: int, name: str) -> ContextValue:
        """Return one value of the context of the account at *place*, None if there is none."""
        return self.of(place).get(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment] # as of every sequence of dictionaries

    @overload
    def __getitem__(self, index: int) -> dict[str, ContextValue]: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[dict[str, ContextValue], ...]: ...

    def __getitem__(
        self, index: int | slice
    ) -> dict[str, ContextValue] | tuple[dict[str, ContextValue], ...]:
        if isinstance(index, slice):
            return tuple(self.of(one) for one in range(*index.indices(len(self))))
        return self.of(range(len(self))[index])


@dataclass(frozen=True, slots=True, eq=False)
class ReplacedContexts(Contexts):
    """Contexts of which some are others."""

    contexts: Sequence[dict[str, ContextValue]]
    others: dict[int, dict[str, ContextValue]]

    def __len__(self) -> int:
        return len(self.contexts)

    def of(self, place: int) -> dict[str, ContextValue]:
        """Return the context of the account at *place*."""
        other = self.others.get(place)
        return self.contexts[place] if other is None else other

    def value(self, place: int, name: str) -> ContextValue:
        """Return one value of the context of the account at *place*, None if there is none."""
        other = self.others.get(place)
        return told(self.contexts, place, name) if other is None else other.get(name)


def told(contexts: Sequence[dict[str, ContextValue]], place: int, name: str) -> ContextValue:
    """Return one value of the context at *place*, None if there is none, without making all of it."""
    return contexts.value(place, name) if isinstance(contexts, Contexts) else contexts[place].get(name)
