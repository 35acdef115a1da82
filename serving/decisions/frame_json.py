"""A decision frame as JSON and back, whatever fields it has: what the ledger keeps and a decision's id is made of."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from serving.decisions.frame import DecisionFrame

_REQUIRED: Final = object()
_SORTED: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SORT_KEYS


def _defaults() -> tuple[tuple[str, Any], ...]:
    """Return each field of a frame with its default."""
    found: list[tuple[str, Any]] = []
    for field in dataclasses.fields(DecisionFrame):
        if field.default is not dataclasses.MISSING:
            found.append((field.name, field.default))
        elif field.default_factory is not dataclasses.MISSING:
            found.append((field.name, field.default_factory()))
        else:
            found.append((field.name, _REQUIRED))
    return tuple(found)


_FIELDS: Final = _defaults()


@cache
def _adapter() -> TypeAdapter[DecisionFrame]:
    return TypeAdapter(DecisionFrame)


def frame_json(frame: DecisionFrame, *, sort_keys: bool = False) -> bytes:
    """Return *frame* as JSON, without fields that have their defaults; keys in the frame's order unless sorted.

    Numbers come back bit for bit, times to the microsecond. A number that is not finite is written as null: it means
    "missing" to whoever reads a frame. Left-out defaults keep the JSON of old frames as it was when fields are added.
    """
    values = {
        name: value
        for name, default in _FIELDS
        if (value := getattr(frame, name)) is not default and value != default
    }
    return orjson.dumps(values, option=_SORTED if sort_keys else orjson.OPT_SERIALIZE_NUMPY, default=_plain)


def parse_frame(content: bytes | str) -> DecisionFrame:
    """Return the frame that `frame_json` wrote; fields that it does not hold get their defaults.

    Raises:
        ValueError: *content* is no frame.
    """
    return _adapter().validate_json(content)


def _plain(value: object) -> object:
    """Return what JSON has for the containers that orjson does not know."""
    if isinstance(value, frozenset | set):
        return sorted(value)
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"a decision frame can't hold a {type(value).__name__}")
