"""`state.json`: what has been built so far, from which inputs and by which code."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from feature_repo.pipeline.views import read_views

if TYPE_CHECKING:
    from feature_repo.pipeline.spec import ViewSpec

FILE_NAME = "state.json"
FORMAT = 1
SHARED_CODE = (
    "frame",
    "windows",
    "expressions",
    "derived",
    "subscription_state",
    "departure",
    "usage_peaks",
    "payments",
    "health_level",
)


class ViewState(BaseModel):
    """What is known about one view's rows on disk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: dt.date = Field(description="First day built.")
    start: dt.date | None = Field(description="First day that was asked for; None for the first account's.")
    last: dt.date = Field(description="Last day built; rows after it are leftovers of a broken build.")
    definition: str = Field(
        description="Digest of the view's features and code, and of its scorer if it has one."
    )
    inputs: dict[str, dict[str, str]] = Field(
        description="By raw table: month digests as known on the last day."
    )
    rows: int = Field(description="Rows on disk.", ge=0)


class BuildState(BaseModel):
    """The whole of `state.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    stamp: str = Field(default="", description="Stamp of the input files when everything was last current.")
    end: dt.date | None = Field(default=None, description="Last complete day of the data behind that stamp.")
    views: dict[str, ViewState] = {}


def load_state(out: Path) -> BuildState:
    """Return the state in *out*; an empty one if there is none, or none that this version can read."""
    path = out / FILE_NAME
    try:
        state = BuildState.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return BuildState()
    return state if state.format == FORMAT else BuildState()


def save_state(state: BuildState, out: Path) -> None:
    """Write *state* into *out* in one step, so that a reader sees the old or the new one."""
    temporary = out / f".{FILE_NAME}.tmp"
    temporary.write_text(state.model_dump_json(indent=1), encoding="utf-8")
    os.replace(temporary, out / FILE_NAME)  # noqa: PTH105 - says replace, which is meant


def definition(spec: ViewSpec, scorer_version: str) -> str:
    """Return the digest of all that decides a view's values besides the data.

    Args:
        spec: The view; its names and types count, its words do not. What it reads of other views counts too.
        scorer_version: Version of the ticket scorer; it counts for views that rest on ticket text.
    """
    behind = (*read_views(spec), spec)
    digest = hashlib.sha256(repr([(f.name, f.dtype) for view in behind for f in view.features]).encode())
    if any(view.name == "sentiment" for view in behind):
        digest.update(scorer_version.encode())
    folder = Path(__file__).parent
    for module in (*SHARED_CODE, *(view.name for view in behind)):
        digest.update((folder / f"{module}.py").read_bytes())
    return digest.hexdigest()
