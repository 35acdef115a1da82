"""The strings at the end of a packed row: taken apart once for each of the many rows that have the same.

They are their lengths, -1 for one that is missing, then their bytes, then the CRC-32 of both.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.features.decode import NAN, Remembered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_repo.contract import RowLayout

CRC_OF_ALL: Final = 0x2144DF1C
"""CRC-32 of any bytes that end with the CRC-32 of what stands before it."""
CRC_BYTES: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """The strings of one view's row.

    Attributes:
        told: The strings, None where one is missing.
        codes: The numbers of those that the matrix holds, NaN where there is none.
        packed: The same as doubles.
    """

    told: tuple[str | None, ...]
    codes: tuple[float, ...]
    packed: bytes


class TextsTable:
    """Takes the strings at the end of one view's packed rows apart, and remembers what it found.

    Attributes:
        names: Names of the strings.
        damaged: What stands for strings that are not what was written.
    """

    def __init__(self, layout: RowLayout, codes: Mapping[str, Mapping[str, float]]) -> None:
        """Take the numbers of the known values of each string of the matrix."""
        self.names = layout.texts
        self._codes = [codes[name] for name in layout.texts[: layout.encoded]]
        self._lengths = struct.Struct(f"<{len(layout.texts)}i")
        self.damaged = self._texts([None] * len(layout.texts))
        self.of = Remembered(self._decode, self.damaged, empty=self.damaged).__getitem__

    def _decode(self, data: bytes) -> Texts:
        at, told = self._lengths.size, list[str | None]()
        if zlib.crc32(data) != CRC_OF_ALL or len(data) < at + CRC_BYTES:
            return self.damaged
        try:
            for length in self._lengths.unpack_from(data):
                told.append(None if length < 0 else data[at : at + length].decode())
                at += max(0, length)
        except UnicodeDecodeError:
            return self.damaged
        return self._texts(told) if at + CRC_BYTES == len(data) else self.damaged

    def _texts(self, told: Sequence[str | None]) -> Texts:
        coded = zip(told, self._codes, strict=False)
        numbers = tuple([NAN if one is None else codes.get(one, NAN) for one, codes in coded])
        return Texts(tuple(told), numbers, struct.pack(f"<{len(numbers)}d", *numbers))
