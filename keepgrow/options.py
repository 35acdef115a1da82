"""What several commands share: options of one name, environment variable and sentence, and how features are read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.models import OptionInfo

LOOK_BACK: Final = dt.timedelta(days=14)
"""Features older than this say nothing of an account any more."""
BATCH_ROWS: Final = 10_000
"""Accounts held in memory at a time."""

FeaturesFolder = Annotated[
    Path, typer.Option(envvar="KEEPGROW_FEATURES_DIR", help="Folder of daily feature tables.")
]
Model = Annotated[
    str, typer.Option(envvar="KEEPGROW_MODEL", help="Tag of the bundle; `keepgrow` is the champion.")
]
CatalogueFile = Annotated[
    Path | None,
    typer.Option("--catalogue", envvar="KEEPGROW_CATALOGUE", help="Catalogue; without it the packaged one."),
]
VerificationFile = Annotated[
    Path | None,
    typer.Option(
        "--verification",
        envvar="KEEPGROW_VERIFICATION",
        help="Checks of predictions; without it the packaged ones.",
    ),
]
Now = Annotated[
    dt.datetime | None,
    typer.Option(
        "--now",
        formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"],
        help="Time to count from; without it, now (UTC).",
    ),
]


def bundle_of_fields(conditions: str) -> OptionInfo:
    """Return the option that names the bundle whose features *conditions*, such as rules, may speak of."""
    option: OptionInfo = typer.Option(
        help=f"Tag of the bundle whose features {conditions} may use; without it those of the views."
    )
    return option


def in_utc(time: dt.datetime | None) -> dt.datetime:
    """Return the *time* that an option gave, in UTC, or now without one; a time without an offset means UTC."""
    if time is None:
        return dt.datetime.now(dt.UTC)
    return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
