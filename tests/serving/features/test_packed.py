"""Packed rows come back as they were written, and what can't be trusted is left to be read field by field."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.contract import ContractFeature, ContractView, FeatureContract, RowLayout
from feature_repo.packed import pack_row
from serving.bundle.manifest import Encoding
from serving.features.packed import PackedDecoder
from serving.features.rows import told

DTYPES = ("Float64", "Int64", "String", "Bool")
ROLES = ("model", "policy")
CATEGORIES = ("", "pro", "Größe")
VIEWS = ("all", "numbers", "wide")


def make_contract() -> FeatureContract:
    """Return a contract of a view with features of every type and role, one of numbers, and one with many flags."""
    listed = [
        ("all", f"{dtype}_{role}_{n}", dtype, role) for n in range(2) for dtype in DTYPES for role in ROLES
    ]
    listed += [("numbers", "only", "Float64", "model")]
    listed += [("wide", f"flag_{n}", "Bool", "policy") for n in range(70)]
    return FeatureContract(
        project="p",
        feature_service="s",
        join_key="account_id",
        views=tuple(ContractView(name=view, limit_seconds=60) for view in VIEWS),
        features=tuple(
            ContractFeature(
                view=view,
                name=name,
                dtype=dtype,
                role=role,
                description="",
                signal=name,
                text="",
                redis_field_hex=f"{number:08x}",
            )
            for number, (view, name, dtype, role) in enumerate(listed)
        ),
    )


CONTRACT = make_contract()
DECODER = PackedDecoder(
    CONTRACT,
    [Encoding(feature=f.name, categories=CATEGORIES) for f in CONTRACT.model_features if f.dtype == "String"],
)
VALUES = {
    "Float64": st.none() | st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, 5e-324]),
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1]),
    "String": st.none() | st.text() | st.sampled_from([*CATEGORIES, "x" * 300, "\0"]),
    "Bool": st.none() | st.booleans(),
}
ROWS = st.fixed_dictionaries({feature.name: VALUES[feature.dtype] for feature in CONTRACT.features})
TIMES = st.tuples(st.integers(-(2**35), 2**35), st.integers(0, 999_999_999))


def stamp(seconds: int, nanos: int) -> bytes:
    """Return a time as the store holds it."""
    parts = bytearray()
    for tag, number in ((0x08, seconds % (1 << 64)), (0x10, nanos)):
        if number:
            parts.append(tag)
            groups = [number >> shift & 0x7F for shift in range(0, max(1, number.bit_length()), 7)]
            parts += bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
    return bytes(parts)


def reply(row: dict[str, object], times: list[tuple[int, int] | None]) -> list[bytes | None]:
    """Return what the store says of an account; a view without a time has no row."""
    packed = [
        None if time is None else pack_row(layout, *time, row)  # type: ignore[arg-type] # values of any type
        for layout, time in zip(CONTRACT.layouts, times, strict=True)
    ]
    return [*packed, *(None if time is None else stamp(*time) for time in times)]


def same(found: object, expected: object) -> bool:
    """Return whether two values are the same one, types and signs of zeros too."""
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(found, float) and math.isnan(found)
    signs = not isinstance(expected, float) or math.copysign(1, expected) == math.copysign(1, found)  # type: ignore[arg-type]
    return type(found) is type(expected) and found == expected and signs


def expected_number(feature: ContractFeature, value: object) -> float:
    """Return what the matrix holds for a value."""
    if value is None:
        return math.nan
    if feature.dtype == "String":
        return float(CATEGORIES.index(value)) if value in CATEGORIES else math.nan  # type: ignore[arg-type]
    return float(value)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ROWS, st.lists(st.none() | TIMES, min_size=3, max_size=3)), min_size=1, max_size=4))
def test_what_was_packed_comes_back(accounts) -> None:
    """Every value of every type, null or not, is the one that was packed, of one account as of several."""
    replies = [reply(row, times) for row, times in accounts]
    names = [f"a{number}" for number in range(len(replies))]
    for places in (list(range(len(replies))), *([place] for place in range(len(replies)))):
        rows, left = DECODER.decode([names[one] for one in places], [replies[one] for one in places])
        assert left == []
        for at, place in enumerate(places):
            values, times = accounts[place]
            there = dict(zip(VIEWS, (time is not None for time in times), strict=True))
            written = {f.name: values[f.name] if there[f.view] else None for f in CONTRACT.features}
            assert rows.known[at] == any(there.values())
            for column, feature in enumerate(CONTRACT.model_features):
                assert same(float(rows.matrix[at, column]), expected_number(feature, written[feature.name]))
            context = rows.context[at]
            shown = {f.name for f in CONTRACT.features if f.role == "policy" or f.dtype == "String"}
            assert context.keys() == shown
            assert all(same(context[name], written[name]) for name in shown)
            assert all(same(told(rows.context, at, name), written[name]) for name in shown)
            as_of = [math.nan if time is None else time[0] + time[1] / 1e9 for time in times]
            np.testing.assert_array_equal(rows.as_of[at], as_of)


ROW: dict[str, object] = {
    feature.name: {"Float64": 1.5, "Int64": 7, "String": "pro", "Bool": True}[feature.dtype]
    for feature in CONTRACT.features
}
FINE = reply(ROW, [(1_000, 5)] * 3)


def left_of(*replies: list[bytes | None]) -> list[int]:
    """Return who is left to be read field by field, of several accounts and of each alone, which agree."""
    together = DECODER.decode([str(n) for n in range(len(replies))], replies)[1]
    assert together == [n for n, one in enumerate(replies) if DECODER.decode(["x"], [one])[1]]
    return together


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_rows_are_never_used(data) -> None:
    """A packed row of which bytes were changed, cut, added or swapped is left to be read field by field."""
    view = data.draw(st.integers(0, 2))
    row = FINE[view]
    assert row is not None
    kind = data.draw(st.sampled_from(["change", "cut", "add", "swap"]))
    at = data.draw(st.integers(0, len(row) - 1))
    if kind == "change":
        some = data.draw(st.binary(min_size=1, max_size=12))
        damaged = row[:at] + some + row[at + len(some) :]
    elif kind == "cut":
        damaged = row[:at]
    elif kind == "add":
        damaged = row[:at] + data.draw(st.binary(min_size=1, max_size=16)) + row[at:]
    else:
        damaged = row[at:] + row[:at]
    if damaged == row:
        return
    other = [*FINE]
    other[view] = damaged
    assert left_of(FINE, other, FINE) == [1]


def test_rows_of_another_time_or_without_one_are_not_used() -> None:
    """Where the store's time of a view is newer, older or gone, or the packed row is gone, it is not used."""
    stamps = (stamp(1_001, 5), stamp(1_000, 4), b"", None, b"\x10", b"no time")
    others: list[list[bytes | None]] = [[*FINE[:3], time, *FINE[4:]] for time in stamps]
    others += [[row, *FINE[1:]] for row in (None, b"")]
    assert left_of(FINE, *others) == list(range(1, len(others) + 1))


def test_rows_of_another_layout_are_not_used() -> None:
    """Another order, type, role or view makes another layout; features that are not served make none."""
    features = [("a", "Float64", "model"), ("b", "Int64", "policy"), ("c", "String", "model")]
    base = RowLayout.of("v", features)  # type: ignore[arg-type] # literals
    others = [
        RowLayout.of("w", features),  # type: ignore[arg-type]
        RowLayout.of("v", features[::-1]),  # type: ignore[arg-type]
        RowLayout.of("v", [("a", "Int64", "model"), *features[1:]]),  # type: ignore[arg-type, list-item]
        RowLayout.of("v", [("a", "Float64", "policy"), *features[1:]]),  # type: ignore[arg-type, list-item]
        RowLayout.of("v", features[:2]),  # type: ignore[arg-type]
    ]
    assert len({one.fingerprint for one in (base, *others)}) == len(others) + 1
    changed = CONTRACT.model_dump()
    changed["features"][0]["dtype"] = "Int64"
    other = FeatureContract(**changed)
    row = pack_row(other.layouts[0], 1_000, 5, ROW | {CONTRACT.features[0].name: 1})  # type: ignore[arg-type]
    assert left_of([row, *FINE[1:]]) == [0]


def test_the_contract_of_an_old_bundle_gives_the_same_layouts() -> None:
    """Layouts follow from a contract and are no part of it: its JSON and hash are what they were."""
    again = FeatureContract.model_validate_json(CONTRACT.model_dump_json())
    assert again.layouts == CONTRACT.layouts
    assert set(CONTRACT.model_dump()) == {
        "schema_version", "project", "feature_service", "join_key", "entity_key_serialization_version", "views",
        "features",
    }  # fmt: skip


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "seven"])
def test_what_does_not_fit_is_not_packed(value: object) -> None:
    """A number beyond 64 bits, or no number, is refused and not cut."""
    with pytest.raises(struct.error):
        pack_row(CONTRACT.layouts[0], 0, 0, ROW | {"Int64_policy_0": value})  # type: ignore[arg-type]


def test_times_and_texts_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many times of views there are, few are kept."""
    monkeypatch.setattr("serving.features.packed.REMEMBERED", 5)
    for second in range(20):
        assert left_of(reply(ROW, [(second, 0)] * 3)) == []
    assert len(DECODER._times) <= 5
