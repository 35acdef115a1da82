"""Region pinning: about whose accounts this deployment may decide at all."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Regions(BaseModel):
    """The regions that a deployment is pinned to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed: tuple[str, ...] = Field(
        default=(),
        description="Regions about whose accounts may be decided; an account whose region is not known is none of "
        "them. Empty: there is no pinning.",
    )
