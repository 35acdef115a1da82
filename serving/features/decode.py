"""Replies of the online store to matrix, ages and context, every value of every account looked at once.

The fields are asked for grouped by type, so that a group is decoded at once: doubles by one look at their joined
bytes, everything else by a table from bytes to values, since numbers of days, flags, plans and times repeat from
account to account. Few accounts are decoded row by row; many column by column, which takes half as long.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import getitem, itemgetter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np

from serving.features.errors import StoreFormatError
from serving.features.rows import Contexts, ContextValue, FeatureRows
from serving.features.values import (
    DOUBLE_BYTES,
    DOUBLE_TAG,
    decode_bool,
    decode_float,
    decode_int,
    decode_string,
    decode_time,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_repo.contract import ContractFeature, FeatureContract

Reply = Sequence[bytes | None]
_Decoded: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64], Sequence[dict[str, ContextValue]]]"
NAN: Final = float("nan")
NULL_DOUBLE: Final = struct.pack("<Bd", DOUBLE_TAG, NAN)
REMEMBERED: Final = 16_384
MANY: Final = 12
_SERIALIZED_DOUBLE: Final = np.dtype([("tag", "u1"), ("value", "<f8")])
DECODERS: Final[dict[str, Callable[[bytes], ContextValue]]] = {
    "Float64": decode_float,
    "Int64": decode_int,
    "String": decode_string,
    "Bool": decode_bool,
}


class EncodingLike(Protocol):
    """How a string feature becomes a number: its index in `categories`; anything else is NaN."""

    @property
    def feature(self) -> str:
        """Name of the feature."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Its known values."""


class Remembered(dict[bytes | None, Any]):
    """A table from bytes to values that fills itself, and starts anew when it holds too many."""

    def __init__(self, decode: Callable[[bytes], object], missing: object, *, empty: object = None) -> None:
        """Start with what stands for no value.

        Args:
            decode: Makes a value of bytes; raises ValueError if they are of another type.
            missing: The value of a field that the store lacks.
            empty: The value of a field without bytes.
        """
        self._decode = decode
        self._always: dict[bytes | None, object] = {None: missing, b"": empty}
        super().__init__(self._always)

    def __missing__(self, data: bytes) -> object:
        value = self._decode(data)
        if len(self) >= REMEMBERED:
            self.clear()
            self.update(self._always)
        self[data] = value
        return value


def _coder(categories: Sequence[str]) -> Callable[[bytes], float]:
    codes = {category: float(index) for index, category in enumerate(categories)}
    return lambda data: codes.get(decode_string(data), NAN)


class RowDecoder:
    """Decodes replies for one feature contract.

    Attributes:
        fields: The hash fields to ask for, in the order in which replies are decoded.
    """

    def __init__(self, contract: FeatureContract, encodings: Iterable[EncodingLike]) -> None:
        """Lay out the fields: doubles, other columns of the matrix, what only the context tells, times.

        Raises:
            ValueError: A string feature of the model has no encoding.
        """
        categories = {one.feature: one.categories for one in encodings}
        model = contract.model_features
        unencoded = [f.name for f in model if f.dtype == "String" and f.name not in categories]
        if unencoded:
            raise ValueError(f"no encoding says how these features become numbers: {', '.join(unencoded)}")
        floats = [f for f in model if f.dtype == "Float64"]
        texts = [f for f in model if f.dtype == "String"]
        others = [f for f in model if f.dtype in {"Int64", "Bool"}]
        policy = [f for f in contract.features if f.role == "policy"]
        self._features = (*floats, *others, *texts, *policy)
        self._views = tuple(view.name for view in contract.views)
        self.fields: tuple[bytes, ...] = (
            *(bytes.fromhex(feature.redis_field_hex) for feature in self._features),
            *(f"_ts:{view}".encode() for view in self._views),
        )
        numbers = {
            "Int64": Remembered(lambda data: float(decode_int(data)), NAN, empty=NAN),
            "Bool": Remembered(lambda data: float(decode_bool(data)), NAN, empty=NAN),
        }
        told = {dtype: Remembered(decode, None) for dtype, decode in DECODERS.items()}
        self._others_end = len(floats) + len(others)
        self._columns_end = self._others_end + len(texts)
        self._features_end = len(self._features)
        self._floats_end = len(floats)
        self._unpack_floats = struct.Struct("<" + "xd" * len(floats)).unpack
        self._float_tags = bytes([DOUBLE_TAG]) * len(floats)
        self._tables = (
            *(numbers[f.dtype] for f in others),
            *(Remembered(_coder(categories[f.name]), NAN, empty=NAN) for f in texts),
        )
        self._told_names = tuple(f.name for f in (*texts, *policy))
        self._told_tables = tuple(told[f.dtype] for f in (*texts, *policy))
        self._times = Remembered(decode_time, NAN, empty=0.0)
        place = {feature.name: index for index, feature in enumerate(self._features)}
        places = [place[feature.name] for feature in model]
        self._in_order = _picker(places)
        self._places = np.array(places, dtype=np.intp)

    def decode(self, account_ids: Sequence[str], replies: Sequence[Reply]) -> FeatureRows:
        """Return the features of the accounts.

        Args:
            account_ids: The n accounts.
            replies: For each, the values of `fields`.

        Raises:
            StoreFormatError: A value's bytes are not of the type that the contract says; the first such
                value.
        """
        try:
            matrix, as_of, context = (
                self._by_column(replies) if len(replies) >= MANY else self._by_row(replies)
            )
        except (ValueError, struct.error):
            self._raise_first_mismatch(account_ids, replies)
            raise
        return FeatureRows(
            account_ids=tuple(account_ids),
            known=np.array(
                [reply[-1] is not None or reply.count(None) < len(reply) for reply in replies], dtype=np.bool_
            ),
            matrix=matrix,
            as_of=as_of,
            context=context,
        )

    def _by_row(self, replies: Sequence[Reply]) -> _Decoded:
        matrix, as_of, context = [], [], []
        floats_end, others_end, features_end = self._floats_end, self._others_end, self._features_end
        columns_end, times = self._columns_end, self._times.__getitem__
        for reply in replies:
            doubles = b"".join([value or NULL_DOUBLE for value in reply[:floats_end]])
            if doubles[::DOUBLE_BYTES] != self._float_tags:
                raise ValueError("not all of them are doubles")
            numbers = (
                *self._unpack_floats(doubles),
                *map(getitem, self._tables, reply[floats_end:columns_end]),
            )
            matrix.append(self._in_order(numbers))
            told = map(getitem, self._told_tables, reply[others_end:features_end])
            context.append(dict(zip(self._told_names, told, strict=True)))
            as_of.append([*map(times, reply[features_end:])])
        n = len(replies)
        return (
            np.array(matrix, dtype=np.float64).reshape(n, columns_end),
            np.array(as_of, dtype=np.float64).reshape(n, len(self._views)),
            tuple(context),
        )

    def _by_column(self, replies: Sequence[Reply]) -> _Decoded:
        n = len(replies)
        columns = list(zip(*replies, strict=True))
        doubles = chain.from_iterable(columns[: self._floats_end])
        joined = b"".join([value or NULL_DOUBLE for value in doubles])
        if len(joined) != self._floats_end * n * DOUBLE_BYTES:
            raise ValueError("not all of them are doubles")
        tagged = np.frombuffer(joined, dtype=_SERIALIZED_DOUBLE)
        if (tagged["tag"] != DOUBLE_TAG).any():
            raise ValueError("not all of them are doubles")
        numbers = np.empty((self._columns_end, n), dtype=np.float64)
        numbers[: self._floats_end] = tagged["value"].reshape(self._floats_end, n)
        for place, table in enumerate(self._tables, self._floats_end):
            numbers[place] = np.fromiter(map(table.__getitem__, columns[place]), np.float64, n)
        told_columns = columns[self._others_end : self._features_end]
        told = [
            list(map(table.__getitem__, column))
            for table, column in zip(self._told_tables, told_columns, strict=True)
        ]
        as_of = np.array([self._column_of_times(column) for column in columns[self._features_end :]])
        return (
            np.ascontiguousarray(numbers[self._places].T),
            np.ascontiguousarray(as_of.reshape(len(self._views), n).T),
            _ToldByColumn(self._told_names, told, n),
        )

    def _column_of_times(self, column: Sequence[bytes | None]) -> NDArray[np.float64]:
        """Return the times of one view; the rows of one day share theirs."""
        n, first = len(column), column[0]
        if column.count(first) == n:
            return np.full(n, self._times[first])
        return np.fromiter(map(self._times.__getitem__, column), np.float64, n)

    def require_every_feature(self, account_ids: Sequence[str], replies: Sequence[Reply]) -> None:
        """Insist that each feature is there for some account that has its view.

        Raises:
            StoreFormatError: Accounts have a view, but none of them has one of its features.
        """
        for number, view in enumerate(self._views):
            at = self._features_end + number
            holders = [i for i, reply in enumerate(replies) if reply[at] is not None]
            for column, feature in enumerate(self._features if holders else ()):
                if feature.view == view and all(replies[i][column] is None for i in holders):
                    raise StoreFormatError(account_ids[holders[0]], _field(feature), feature.dtype, b"")

    def _raise_first_mismatch(self, account_ids: Sequence[str], replies: Sequence[Reply]) -> None:
        for account_id, reply in zip(account_ids, replies, strict=True):
            expected: list[tuple[str, str, Callable[[bytes], object]]] = [
                (_field(f), f.dtype, DECODERS[f.dtype]) for f in self._features
            ]
            expected += [(f"_ts:{view}", "a time", decode_time) for view in self._views]
            for (field, what, decode), value in zip(expected, reply, strict=True):
                if value:
                    try:
                        decode(value)
                    except ValueError as error:
                        raise StoreFormatError(account_id, field, what, value) from error


@dataclass(frozen=True, slots=True, eq=False)
class _ToldByColumn(Contexts):
    """The context of many accounts, by column."""

    names: Sequence[str]
    columns: Sequence[Sequence[ContextValue]]
    accounts: int

    def __len__(self) -> int:
        return self.accounts

    def of(self, place: int) -> dict[str, ContextValue]:
        return {name: column[place] for name, column in zip(self.names, self.columns, strict=True)}


def _field(feature: ContractFeature) -> str:
    return f"{feature.view}:{feature.name}"


def _picker(places: Sequence[int]) -> Callable[[tuple[float, ...]], tuple[float, ...]]:
    """Return what puts an account's numbers into the order of the matrix's columns."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda numbers: tuple(numbers[place] for place in places)
