"""A frame's JSON holds the frame."""

from __future__ import annotations

import dataclasses
import math
import typing

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.decisions.frame import DecisionFrame, Effect
from serving.decisions.frame_json import frame_json, parse_frame
from tests.serving.decisions.frames import NOON_UTC, frame
from tests.serving.decisions.strategies import frames

doubles = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=150, deadline=None)
@given(
    frames,
    st.dictionaries(st.text(max_size=5), doubles | st.integers(-(2**63), 2**63) | st.booleans() | st.none()),
)
def test_frames_come_back_bit_for_bit(one: DecisionFrame, extra: dict) -> None:
    """Every number keeps its bits and its type; what is not finite comes back as missing, which is what it means."""
    features = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in {**one.features, **extra}.items()
    }
    finite = dataclasses.replace(one, features=features)
    back = parse_frame(frame_json(finite))
    assert back == finite
    assert parse_frame(frame_json(dataclasses.replace(one, features={**one.features, **extra}))) == finite
    for name, value in features.items():
        assert type(back.features[name]) is type(value)
        if isinstance(value, float):
            assert back.features[name].hex() == value.hex()
    assert frame_json(back) == frame_json(finite)


def test_every_field_is_kept() -> None:
    """A frame whose every field differs from its default comes back equal, so no field is left out or guessed."""
    full = frame(
        surface="email",
        effects={"guide": {"retained": Effect(0.1, 0.02, "uplift", "dr", 900)}},
        effects_window_days=90,
        extra_mrr_ratio=0.25,
        trajectory={"improving": 0.2, "stable": 0.5, "declining": 0.3},
        rejected={"guide": NOON_UTC},
    )
    assert parse_frame(frame_json(full)) == full
    back = parse_frame(frame_json(full))
    assert isinstance(back.effects["guide"]["retained"], Effect)
    assert back.now.tzinfo is not None


def test_the_types_of_all_fields_can_be_told_at_run_time() -> None:
    """Whoever adds a field imports its type so that it is known when a frame is read back."""
    hints = typing.get_type_hints(DecisionFrame)
    assert set(hints) == {field.name for field in dataclasses.fields(DecisionFrame)}


def test_defaults_are_left_out_so_that_new_fields_do_not_change_old_frames() -> None:
    """A field at its default is not written; the JSON without it reads as the default."""
    assert not {"rejected", "effects"} & orjson.loads(frame_json(frame())).keys()
    assert "surface" in orjson.loads(frame_json(frame()))
    assert parse_frame(frame_json(frame())).rejected == {}


def test_the_order_of_members_matters_only_unsorted() -> None:
    """Equal frames have equal sorted JSON, which ids are made of; the unsorted keeps the order, as answers show it."""
    turned = dataclasses.replace(frame(), evidence={"b": 1, "a": {"y": 1, "x": 2}})
    straight = dataclasses.replace(frame(), evidence={"a": {"x": 2, "y": 1}, "b": 1})
    assert frame_json(turned, sort_keys=True) == frame_json(straight, sort_keys=True)
    assert list(parse_frame(frame_json(turned)).evidence) == ["b", "a"]
