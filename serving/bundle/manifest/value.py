"""What all parts of a manifest have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Part of a manifest: no field that is not declared, and none that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
