"""Packs a view's row into the one field that serving reads instead of a field a feature; see `RowLayout`.

It knows nothing of Feast. Serving has the other half, which takes such rows apart.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from feature_repo.contract import MASK_BITS, WORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_repo.contract import RowLayout

PackedValue = str | int | float | bool | None


def pack_row(layout: RowLayout, seconds: int, nanos: int, values: Mapping[str, PackedValue]) -> bytes:
    """Return a packed row.

    Args:
        layout: The layout.
        seconds: Event time in seconds since the epoch.
        nanos: Nanoseconds past that.
        values: Every feature of the layout, in its own type, None where it is missing; others are ignored.

    Raises:
        KeyError: A feature is not among *values*.
        struct.error: A number does not fit 64 bits, or is no number.
        OverflowError: The same.
    """
    numbers = [values[name] for name, _ in layout.numbers]
    doubles = [float("nan") if value is None else float(value) for value in numbers]
    exact = [values[name] for name, _ in layout.exact]
    missing = sum(1 << place for place, value in enumerate(exact) if value is None)
    masks = [missing >> (MASK_BITS * number) & ((1 << MASK_BITS) - 1) for number in range(layout.masks)]
    fixed = (
        struct.pack(
            f"<{WORD_BYTES}sqq{len(doubles)}d", layout.fingerprint, seconds, nanos, *doubles
        )
        + layout.exact_struct.pack(*(0 if value is None else value for value in exact), *masks)
    )  # fmt: skip
    words = struct.unpack(f"<{layout.words - 1}Q", fixed)
    total = sum(word * weight for word, weight in zip(words, layout.weights, strict=False))
    checked = fixed + struct.pack("<Q", -total % (1 << 64))
    return checked + pack_texts([values[name] for name in layout.texts]) if layout.texts else checked


def pack_texts(texts: Sequence[PackedValue]) -> bytes:
    """Return the end of a packed row: lengths, bytes and checksum of *texts*, each a string or None."""
    encoded = [None if text is None else str(text).encode() for text in texts]
    lengths = [-1 if text is None else len(text) for text in encoded]
    content = struct.pack(f"<{len(lengths)}i", *lengths) + b"".join(filter(None, encoded))
    return content + struct.pack("<I", zlib.crc32(content))
