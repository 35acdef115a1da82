"""Feast's serialized values by hand: one tag byte says the type, then the value; nothing at all is null.

Field numbers of the protobuf message `feast.types.Value`: string 2, int64 4, double 5, bool 7. A tag is the
number times 8 plus the wire type (0 varint, 1 eight bytes, 2 length and bytes).
"""

from __future__ import annotations

import struct
from typing import Final, Literal

Dtype = Literal["Float64", "Int64", "String", "Bool"]

STRING_TAG: Final = 0x12
INT64_TAG: Final = 0x20
DOUBLE_TAG: Final = 0x29
BOOL_TAG: Final = 0x38
DOUBLE_BYTES: Final = 9
SECONDS_TAG: Final = 0x08
NANOS_TAG: Final = 0x10
NANOS: Final = 1e9
_VARINT_BITS: Final = 70
_TWO_63: Final = 1 << 63
_TWO_64: Final = 1 << 64


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the signed 64-bit varint at *position*, and the position after it."""
    number = shift = 0
    while shift < _VARINT_BITS:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            number &= _TWO_64 - 1
            return (number - _TWO_64 if number >= _TWO_63 else number), position
        shift += 7
    raise ValueError("varint of more than ten bytes")


def decode_float(data: bytes) -> float:
    """Return the double in *data*.

    Raises:
        ValueError: *data* is no serialized double.
    """
    if len(data) != DOUBLE_BYTES or data[0] != DOUBLE_TAG:
        raise ValueError("not a double")
    return float(struct.unpack_from("<d", data, 1)[0])


def decode_int(data: bytes) -> int:
    """Return the 64-bit integer in *data*.

    Raises:
        ValueError: *data* is no serialized int64.
    """
    try:
        number, end = _varint(data, 1)
    except IndexError:
        raise ValueError("a cut integer") from None
    if data[0] != INT64_TAG or end != len(data):
        raise ValueError("not an int64")
    return number


def decode_string(data: bytes) -> str:
    """Return the text in *data*.

    Raises:
        ValueError: *data* is no serialized string, or not UTF-8.
    """
    try:
        length, start = _varint(data, 1)
    except IndexError:
        raise ValueError("a cut string") from None
    if data[0] != STRING_TAG or start + length != len(data):
        raise ValueError("not a string")
    return data[start:].decode()


def decode_bool(data: bytes) -> bool:
    """Return the truth value in *data*.

    Raises:
        ValueError: *data* is no serialized bool.
    """
    if data == b"\x38\x01":
        return True
    if data == b"\x38\x00":
        return False
    raise ValueError("not a bool")


def decode_time(data: bytes) -> float:
    """Return a serialized protobuf `Timestamp` as epoch seconds; empty is the epoch itself.

    Raises:
        ValueError: *data* is no timestamp.
    """
    seconds, nanos = decode_stamp(data)
    return seconds + nanos / NANOS


def decode_stamp(data: bytes) -> tuple[int, int]:
    """Return a serialized protobuf `Timestamp` as epoch seconds and nanoseconds past them.

    Raises:
        ValueError: *data* is no timestamp.
    """
    seconds = nanos = position = 0
    try:
        while position < len(data):
            tag = data[position]
            number, position = _varint(data, position + 1)
            if tag == SECONDS_TAG:
                seconds = number
            elif tag == NANOS_TAG:
                nanos = number
            else:
                raise ValueError("not a timestamp")
    except IndexError:
        raise ValueError("a cut timestamp") from None
    return seconds, nanos
