"""Feast's serialized values, decoded by hand, against protobuf itself."""

from __future__ import annotations

import math

import pytest
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from serving.features.values import decode_bool, decode_float, decode_int, decode_string, decode_time

DECODERS = (decode_float, decode_int, decode_string, decode_bool)


@given(st.floats())
def test_doubles(value):
    """Every double comes back, sign of zero included."""
    decoded = decode_float(Value(double_val=value).SerializeToString())
    assert math.isnan(decoded) if math.isnan(value) else (decoded, math.copysign(1, decoded)) == (
        value, math.copysign(1, value),
    )  # fmt: skip


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers(value):
    """Every 64-bit integer comes back."""
    assert decode_int(Value(int64_val=value).SerializeToString()) == value


@given(st.text(max_size=400))
def test_strings(value):
    """Every text comes back."""
    assert decode_string(Value(string_val=value).SerializeToString()) == value


@given(st.booleans())
def test_bools(value):
    """Both truth values come back."""
    assert decode_bool(Value(bool_val=value).SerializeToString()) is value


@given(st.integers(-62135596800, 253402300799), st.integers(0, 999_999_999))
def test_times(seconds, nanos):
    """Every time that protobuf can hold comes back in seconds."""
    stamp = Timestamp(seconds=seconds, nanos=nanos)
    assert decode_time(stamp.SerializeToString()) == seconds + nanos / 1e9


@given(st.binary(max_size=24))
def test_bytes_are_a_value_of_one_type_or_of_none(data):
    """No decoder accepts bytes that protobuf reads as another type, and none fails but with ValueError."""
    accepted = []
    for decode in DECODERS:
        try:
            decode(data)
        except ValueError:
            continue
        accepted.append(decode)
    assert len(accepted) <= 1
    if accepted:
        names = dict(zip(DECODERS, ("double_val", "int64_val", "string_val", "bool_val"), strict=True))
        assert Value.FromString(data).WhichOneof("val") == names[accepted[0]]


@pytest.mark.parametrize(
    "other", [Value(int32_val=1), Value(float_val=1.0), Value(bytes_val=b"x"), Value(unix_timestamp_val=1)]
)
def test_other_types_are_refused(other):
    """Types that no feature of ours has are nobody's."""
    for decode in DECODERS:
        with pytest.raises(ValueError, match=r"not|cut"):
            decode(other.SerializeToString())


@pytest.mark.parametrize("data", [b"\x10", b"\x18\x01", b"\x08\x80"])
def test_what_is_no_time_is_refused(data):
    """Cut or foreign bytes are no time."""
    with pytest.raises(ValueError, match="timestamp"):
        decode_time(data)
