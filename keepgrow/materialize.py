"""`keepgrow materialize`: bring the newest features to the online store, while it goes on serving."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console

from keepgrow.apply import FeaturesOption, RegistryOption
from keepgrow.online_store import settings_with_online_store


def materialize(
    end: Annotated[
        str, typer.Argument(help="Latest event time to bring online, ISO; without a zone it is UTC.")
    ],
    features: FeaturesOption = None,
    registry: RegistryOption = None,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Register the definitions first.")] = False,
) -> None:
    """Bring features to the online store up to a time, from where the last run ended."""
    try:
        until = dt.datetime.fromisoformat(end)
    except ValueError:
        raise typer.BadParameter(f"{end!r} is not an ISO time such as 2026-03-01T00:00:00+00:00") from None
    until = until if until.tzinfo is not None else until.replace(tzinfo=dt.UTC)
    from feature_repo import store as feast_store

    console = Console(highlight=False)
    with settings_with_online_store(features, registry) as settings:
        store = feast_store.open_store(settings)
        if apply:
            feast_store.apply(store, settings.features_dir)

        def told(done: feast_store.MaterializedView) -> None:
            window = f"{done.start:%Y-%m-%d %H:%M} to {done.end:%Y-%m-%d %H:%M}"
            console.print(f"{done.view:<12}{window}  {done.seconds:.1f} s")

        feast_store.materialize(store, until, told)
