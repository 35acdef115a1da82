"""The feature contract: which features, in which order, of which type, how fresh, and where in Redis.

It is plain data, written into every bundle; serving reads it and never imports Feast. `contract_compiler`
beside this module makes it out of a Feast registry. How a view's row is packed into one field of Redis follows
from it (`RowLayout`) and is not part of it: bundles that know nothing of packing read packed rows too.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

Dtype = Literal["Float64", "Int64", "String", "Bool"]
SCHEMA_VERSION: Final = 1
ROW_FORMAT: Final = 1
"""Version of the way in which rows are packed; another one gives other layouts, and old rows are read field by
field."""
WORD_BYTES: Final = 8
HEAD_WORDS: Final = 3
"""Layout, seconds and nanoseconds of the event time."""
MASK_BITS: Final = 63
NO_ROW_SECONDS: Final = -(1 << 63)
"""Event time of a row that stands for none."""
_MULTIPLIER: Final = 0x9E3779B97F4A7C15


def canonical_hash(content: Any) -> str:  # noqa: ANN401 -- any JSON value
    """Return `sha256:` and the digest of *content* as JSON with sorted keys and no blanks."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def row_field(view: str) -> bytes:
    """Return the hash field that holds a view's packed row; longer than the four bytes of a feature's field."""
    return f"_row:{view}".encode()


@dataclass(frozen=True)
class RowLayout:
    """How one view's row is packed into one field of the account's hash, beside Feast's own fields.

    A row is words of eight bytes, little endian, and after them its texts. The words: the layout's
    fingerprint; the event time's seconds and nanoseconds; `numbers` as doubles, as the model's matrix wants
    them (missing is NaN, a bool is 0 or 1); `exact` with all their bits, doubles as such and everything else as
    int64; masks with a bit set for each of `exact` that is missing; and a word that makes the sum of all words,
    each times its weight, a multiple of 2**64. The texts: the length of each in bytes as int32, -1 where it is
    missing, then their UTF-8 bytes, then the CRC-32 of all that.

    Attributes:
        view: Name of the view.
        numbers: Features of the matrix but for strings, with their types.
        exact: Features that only policy reads but for strings, with their types.
        texts: String features: first those of the matrix, `encoded` of them, then those that only policy reads.
        encoded: See `texts`.
        fingerprint: Eight bytes that tell this layout from every other.
    """

    view: str
    numbers: tuple[tuple[str, Dtype], ...]
    exact: tuple[tuple[str, Dtype], ...]
    texts: tuple[str, ...]
    encoded: int
    fingerprint: bytes

    @classmethod
    def of(cls, view: str, features: Iterable[tuple[str, Dtype, str]]) -> RowLayout:
        """Return the layout for the served features of *view* (name, type and role of each) in their order."""
        listed = tuple(features)
        of_matrix = [(name, dtype) for name, dtype, role in listed if role == "model"]
        of_policy = [(name, dtype) for name, dtype, role in listed if role != "model"]
        texts = [[name for name, dtype in some if dtype == "String"] for some in (of_matrix, of_policy)]
        content = json.dumps([ROW_FORMAT, view, listed], separators=(",", ":"))
        return cls(
            view=view,
            numbers=tuple(one for one in of_matrix if one[1] != "String"),
            exact=tuple(one for one in of_policy if one[1] != "String"),
            texts=(*texts[0], *texts[1]),
            encoded=len(texts[0]),
            fingerprint=hashlib.sha256(content.encode()).digest()[:WORD_BYTES],
        )

    @property
    def field(self) -> bytes:
        """The hash field that holds the packed row."""
        return row_field(self.view)

    @property
    def features(self) -> tuple[tuple[str, Dtype], ...]:
        """All features with their types, in the order in which they are packed."""
        return (*self.numbers, *self.exact, *((name, "String") for name in self.texts))

    @property
    def masks(self) -> int:
        """Number of words that say which of `exact` are missing."""
        return -(-len(self.exact) // MASK_BITS)

    @property
    def words(self) -> int:
        """Number of words of a row."""
        return HEAD_WORDS + len(self.numbers) + len(self.exact) + self.masks + 1

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """Odd weights of the words in their sum; that of the last is 1, so that it can make up for the others."""
        return (*(pow(_MULTIPLIER, place, 1 << 64) for place in range(self.words - 1, 0, -1)), 1)

    @cached_property
    def exact_struct(self) -> struct.Struct:
        """The words of `exact` and of the masks."""
        codes = "".join("d" if dtype == "Float64" else "q" for _, dtype in self.exact)
        return struct.Struct(f"<{codes}{self.masks}q")


class ContractView(BaseModel):
    """One feature view that the contract reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    limit_seconds: int = Field(description="Age past which the view's row is stale.", gt=0)


class ContractFeature(BaseModel):
    """One feature, with what serving needs to read, encode and explain it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    view: str
    name: str
    dtype: Dtype
    role: Literal["model", "policy"] = Field(description="`model` features make the matrix; all are read.")
    description: str
    signal: str
    text: str = Field(description="Sentence template; see feature_repo.pipeline.spec.Feature.")
    redis_field_hex: str = Field(
        description="The hash field's bytes: murmur3 of `view:feature`, little endian."
    )


class FeatureContract(BaseModel):
    """The vector that a model was trained on and is served with, and how to read it from Redis."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    project: str
    feature_service: str
    join_key: str
    entity_key_serialization_version: Literal[3] = 3
    views: tuple[ContractView, ...]
    features: tuple[ContractFeature, ...]

    @cached_property
    def model_features(self) -> tuple[ContractFeature, ...]:
        """The features of the model matrix, in column order."""
        return tuple(feature for feature in self.features if feature.role == "model")

    @cached_property
    def layouts(self) -> tuple[RowLayout, ...]:
        """How a row of each view is packed, in the order of `views`."""
        return tuple(
            RowLayout.of(view.name, ((f.name, f.dtype, f.role) for f in self.features if f.view == view.name))
            for view in self.views
        )

    @cached_property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON; equal contracts have equal hashes."""
        return canonical_hash(self.model_dump(mode="json"))
