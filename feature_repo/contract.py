"""The feature contract: which features, in which order, of which type, how fresh, and where in Redis.

It is plain data, written into every bundle; serving reads it and never imports Feast. `contract_compiler`
beside this module makes it out of a Feast registry.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Final = 1


def canonical_hash(content: Any) -> str:  # noqa: ANN401 -- any JSON value
    """Return `sha256:` and the digest of *content* as JSON with sorted keys and no blanks."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


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
    dtype: Literal["Float64", "Int64", "String", "Bool"]
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
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON; equal contracts have equal hashes."""
        return canonical_hash(self.model_dump(mode="json"))
