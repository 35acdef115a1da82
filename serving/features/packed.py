"""Packed rows to matrix, ages and context: all views of all accounts in one pass over one buffer.

An account whose packed rows can't be used (of another layout or event time than the store says, damaged, or not
there because somebody else wrote the row) is named, to be read field by field. See `RowLayout` for what a packed
row is.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from feature_repo.contract import HEAD_WORDS, MASK_BITS, NO_ROW_SECONDS, WORD_BYTES, row_field
from serving.features.decode import NAN, Reply
from serving.features.errors import StoreFormatError
from serving.features.rows import Contexts, ContextValue, FeatureRows
from serving.features.texts import Texts, TextsTable
from serving.features.values import NANOS, decode_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract, RowLayout
    from serving.features.decode import EncodingLike

HEAD_BYTES: Final = HEAD_WORDS * WORD_BYTES
REMEMBERED: Final = 4096
_WORD: Final = np.dtype("<u8")
_DOUBLE: Final = np.dtype("<f8")
NOT_READABLE: Final = NO_ROW_SECONDS + 1
"""Stands for the seconds of an event time that is none; no row has them."""


@dataclass(frozen=True, slots=True)
class _Exact:
    """Where in an account's words the numbers of one view stand that only policy reads."""

    start: int
    unpack_from: Callable[[bytes, int], tuple[Any, ...]]
    names: tuple[str, ...]
    bools: tuple[int, ...]

    def value(self, buffer: bytes, offset: int, name: str) -> ContextValue:
        """Return the number with *name* of the account whose words begin at *offset* of *buffer*."""
        values, number = self.unpack_from(buffer, offset + self.start * WORD_BYTES), self.names.index(name)
        if values[len(self.names) + number // MASK_BITS] >> number % MASK_BITS & 1:
            return None
        found: int | float = values[number]
        return found != 0 if number in self.bools else found


@dataclass(frozen=True, slots=True)
class _Place:
    """Which view has strings, where they begin in its packed row, and their columns of the matrix."""

    view: int
    start: int
    columns: list[int]
    table: TextsTable


@dataclass(frozen=True, slots=True, eq=False)
class PackedContexts(Contexts):
    """The contexts of some accounts, taken out of their packed rows.

    Attributes:
        accounts: How many.
        buffer: Their words.
        words: Words of one account.
        exact: Where numbers stand.
        names: Names of each view's strings.
        texts: For each view with strings those of every account.
        made: Contexts that were asked for, by place; a decision reads its account's twice.
    """

    accounts: int
    buffer: bytes
    words: int
    exact: Sequence[_Exact]
    names: Sequence[tuple[str, ...]]
    texts: Sequence[Sequence[Texts]]
    made: dict[int, dict[str, ContextValue]] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.accounts

    def of(self, place: int) -> dict[str, ContextValue]:
        """Return the context of the account at *place*."""
        known = self.made.get(place)
        if known is not None:
            return known
        told: dict[str, ContextValue] = {}
        for names, texts in zip(self.names, self.texts, strict=True):
            told.update(zip(names, texts[place].told, strict=True))
        for one in self.exact:
            values = one.unpack_from(self.buffer, (place * self.words + one.start) * WORD_BYTES)
            missing = values[len(one.names) :]
            told.update(zip(one.names, values, strict=False))
            for number in one.bools:
                told[one.names[number]] = values[number] != 0
            if any(missing):
                for number, name in enumerate(one.names):
                    if missing[number // MASK_BITS] >> number % MASK_BITS & 1:
                        told[name] = None
        self.made[place] = told
        return told

    def value(self, place: int, name: str) -> ContextValue:
        """Return one value of the context of the account at *place*, None if there is none."""
        for names, texts in zip(self.names, self.texts, strict=True):
            if name in names:
                return texts[place].told[names.index(name)]
        for one in self.exact:
            if name in one.names:
                return one.value(self.buffer, place * self.words * WORD_BYTES, name)
        return None


@dataclass(frozen=True, slots=True, eq=False)
class _Times:
    """What the store says of the event times of an account's views.

    Attributes:
        heads: The words that its packed rows have to begin with: all first ones, all second ones and so on.
        beginnings: The same as bytes, view by view.
        as_of: Seconds, NaN where there is no row; shape (1, views).
        known: Whether there is any row; shape (1,).
    """

    heads: NDArray[np.uint64]
    beginnings: list[bytes]
    as_of: NDArray[np.float64]
    known: NDArray[np.bool_]


class PackedDecoder:
    """Decodes packed rows for one feature contract.

    Attributes:
        fields: The hash fields to ask for: the views' packed rows, then their event times.
    """

    def __init__(self, contract: FeatureContract, encodings: Iterable[EncodingLike]) -> None:
        """Find out where everything stands in an account's words, the rows of all views one after the other."""
        layouts = contract.layouts
        codes = {
            one.feature: {category: float(code) for code, category in enumerate(one.categories)}
            for one in encodings
        }
        self.fields: tuple[bytes, ...] = (
            *(layout.field for layout in layouts),
            *(f"_ts:{layout.view}".encode() for layout in layouts),
        )
        self._layouts = layouts
        self._views = len(layouts)
        starts: list[int] = np.cumsum([0, *(layout.words for layout in layouts)]).tolist()
        self._words = starts.pop()
        self._weights = np.array([w for layout in layouts for w in layout.weights], dtype=np.uint64)
        self._head_places = np.array([start + word for word in range(HEAD_WORDS) for start in starts])
        self._fingerprints = [int.from_bytes(layout.fingerprint, "little") for layout in layouts]
        place = {
            name: start + HEAD_WORDS + number
            for start, layout in zip(starts, layouts, strict=True)
            for number, (name, _) in enumerate(layout.numbers)
        }
        self._model = model = [feature.name for feature in contract.model_features]
        self._places = np.array([place.get(name, 0) for name in model], dtype=np.intp)
        self._texts = tuple(
            _Place(
                view,
                layout.words * WORD_BYTES,
                [model.index(name) for name in layout.texts[: layout.encoded]],
                TextsTable(layout, codes),
            )
            for view, layout in enumerate(layouts)
            if layout.texts
        )
        self._text_names = tuple(place.table.names for place in self._texts)
        self._exact = tuple(
            _Exact(
                start + HEAD_WORDS + len(layout.numbers),
                layout.exact_struct.unpack_from,
                tuple(name for name, _ in layout.exact),
                tuple(number for number, (_, dtype) in enumerate(layout.exact) if dtype == "Bool"),
            )
            for start, layout in zip(starts, layouts, strict=True)
            if layout.exact
        )
        self._blanks = tuple(_blank(layout) for layout in layouts)
        self._sizes = tuple(layout.words * WORD_BYTES for layout in layouts)
        self._times: dict[tuple[bytes | None, ...], _Times] = {}

    def decode(self, account_ids: Sequence[str], replies: Sequence[Reply]) -> tuple[FeatureRows, list[int]]:
        """Return the features of the accounts, and the indexes of those that have to be read field by field.

        Args:
            account_ids: The n accounts, one at least.
            replies: For each, the values of `fields`.
        """
        n, views = len(replies), self._views
        if n == 1:
            return self._decode_one(account_ids, replies[0])
        fields = list(zip(*replies, strict=True))
        stamps = fields[views:]
        if all(column.count(column[0]) == n for column in stamps):  # the rows of one day share their times
            times = self._times_of(tuple([column[0] for column in stamps]))
            heads, known = times.heads, times.known.repeat(n)
            as_of = times.as_of.repeat(n, axis=0)
        else:
            each = [self._times_of(stamp) for stamp in zip(*stamps, strict=True)]
            heads = np.stack([times.heads for times in each])
            known = np.concatenate([times.known for times in each])
            as_of = np.concatenate([times.as_of for times in each])
        columns: list[Sequence[bytes]] = [
            column if all(column) else [row or blank for row in column]
            for column, blank in zip(fields, self._blanks, strict=False)
        ]
        texts: list[list[Texts]] = []
        for place in self._texts:
            rows, start, of = columns[place.view], place.start, place.table.of
            texts.append([of(row[start:]) for row in rows])
            columns[place.view] = [row[:start] for row in rows]
        buffer = b"".join(chain.from_iterable(zip(*columns, strict=True)))
        if len(buffer) != n * self._words * WORD_BYTES:
            buffer = self._of_right_length(columns)
        words = np.frombuffer(buffer, dtype=_WORD).reshape(n, self._words)
        unfit = (words.take(self._head_places, axis=1) != heads).any(axis=1)
        unfit |= words @ self._weights != 0
        matrix = words.view(_DOUBLE).take(self._places, axis=1)
        for place, of_view in zip(self._texts, texts, strict=True):
            codes = np.frombuffer(b"".join([one.packed for one in of_view]), dtype=_DOUBLE)
            matrix[:, place.columns] = codes.reshape(n, len(place.columns))
            if place.table.damaged in set(of_view):
                unfit |= [one is place.table.damaged for one in of_view]
        context = PackedContexts(n, buffer, self._words, self._exact, self._text_names, texts)
        return FeatureRows(tuple(account_ids), known, matrix, as_of, context), unfit.nonzero()[0].tolist()

    def _decode_one(self, account_ids: Sequence[str], reply: Reply) -> tuple[FeatureRows, list[int]]:
        """Return what `decode` does, of one account: arrays of one row cost more than lists."""
        views = self._views
        times = self._times_of(tuple(reply[views:]))
        rows = [row or blank for row, blank in zip(reply, self._blanks, strict=False)]
        fits = [row[:HEAD_BYTES] for row in rows] == times.beginnings
        texts: list[tuple[Texts]] = []
        for place in self._texts:
            row, start = rows[place.view], place.start
            found = place.table.of(row[start:])
            fits = fits and found is not place.table.damaged
            texts.append((found,))
            rows[place.view] = row[:start]
        buffer = b"".join(rows)
        if len(buffer) != self._words * WORD_BYTES:
            fits, buffer = False, b"".join(self._blanks)[: self._words * WORD_BYTES]
        words = np.frombuffer(buffer, dtype=_WORD)
        matrix = words.view(_DOUBLE).take(self._places)
        for place, (found,) in zip(self._texts, texts, strict=True):
            for column, code in zip(place.columns, found.codes, strict=True):
                matrix[column] = code
        context = PackedContexts(1, buffer, self._words, self._exact, self._text_names, texts)
        features = FeatureRows(
            tuple(account_ids), times.known, matrix.reshape(1, -1), times.as_of, context
        )  # fmt: skip
        return features, [] if fits and not words.dot(self._weights) else [0]

    def require_same(self, rows: FeatureRows, replies: Sequence[Reply]) -> None:
        """Insist that packed rows that would be used say what was read of the same accounts field by field.

        Args:
            rows: What was read field by field.
            replies: For each of its accounts, the values of `fields`.

        Raises:
            StoreFormatError: One says something else; the first view and feature in which it does.
        """
        packed, left = self.decode(rows.account_ids, replies)
        differs = ~((packed.matrix == rows.matrix) | (np.isnan(packed.matrix) & np.isnan(rows.matrix)))
        for place in sorted(set(range(len(replies))).difference(left)):
            said, told = packed.context[place], rows.context[place]
            others = [self._model[column] for column in differs[place].nonzero()[0]]
            others += [name for name in told if told[name] != said[name] and told[name] == told[name]]
            for name in others[:1]:
                view = next(one.view for one in self._layouts if name in dict(one.features))
                row = replies[place][self.fields.index(row_field(view))] or b""
                expected = f"what its own field says of {name}"
                raise StoreFormatError(rows.account_ids[place], row_field(view).decode(), expected, row)

    def _of_right_length(self, columns: Sequence[Sequence[bytes]]) -> bytes:
        """Return the accounts' words with those of no row in place of rows that are cut or too long."""
        right = [
            [row if len(row) == size else blank[:size] for row in column]
            for column, blank, size in zip(columns, self._blanks, self._sizes, strict=True)
        ]
        return b"".join(chain.from_iterable(zip(*right, strict=True)))

    def _times_of(self, stamps: tuple[bytes | None, ...]) -> _Times:
        """Return what the event times of an account's views, as the store holds them, come to."""
        times = self._times.get(stamps)
        if times is None:
            read = [_read_stamp(stamp) for stamp in stamps]
            seconds, nanos = ([one[part] % (1 << 64) for one in read] for part in (0, 1))
            as_of = [NAN if second <= NOT_READABLE else second + nano / NANOS for second, nano in read]
            heads = np.array([self._fingerprints, seconds, nanos], dtype=_WORD)
            times = _Times(
                heads.ravel(),
                [bytes(words) for words in heads.T],
                np.array([as_of], dtype=np.float64),
                np.array([any(stamp is not None for stamp in stamps)]),
            )
            if len(self._times) >= REMEMBERED:
                self._times.clear()
            self._times[stamps] = times
        return times


def _read_stamp(stamp: bytes | None) -> tuple[int, int]:
    """Return seconds and nanoseconds; those of no row if there is no stamp, and of no row at all if it is none."""
    if stamp is None:
        return NO_ROW_SECONDS, 0
    try:
        return decode_stamp(stamp)
    except ValueError:
        return NOT_READABLE, 0


def _blank(layout: RowLayout) -> bytes:
    """Return a packed row that stands for none."""
    head = [int.from_bytes(layout.fingerprint, "little"), NO_ROW_SECONDS % (1 << 64), 0]
    doubles = [int.from_bytes(struct.pack("<d", NAN), "little")] * len(layout.numbers)
    words = [*head, *doubles, *[0] * len(layout.exact), *[(1 << MASK_BITS) - 1] * layout.masks]
    total = sum(word * weight for word, weight in zip(words, layout.weights, strict=False))
    fixed = struct.pack(f"<{layout.words}Q", *words, -total % (1 << 64))
    lengths = struct.pack(f"<{len(layout.texts)}i", *[-1] * len(layout.texts))
    return fixed + lengths + struct.pack("<I", zlib.crc32(lengths)) if layout.texts else fixed
