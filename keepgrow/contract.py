"""`keepgrow contract`: print the feature contract that a feature service compiles to."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from feature_repo.settings import FeatureRepoSettings
from keepgrow.apply import RegistryOption


def contract(
    service: Annotated[str, typer.Argument(help="Feature service.")] = "keepgrow_v1",
    registry: RegistryOption = None,
) -> None:
    """Print the feature contract of a feature service as JSON, and its hash on standard error."""
    from feature_repo.contract_compiler import compile_contract
    from feature_repo.store import open_store

    settings = FeatureRepoSettings() if registry is None else FeatureRepoSettings(registry=registry)
    compiled = compile_contract(open_store(settings), service)
    sys.stdout.write(compiled.model_dump_json(indent=2) + "\n")
    Console(stderr=True, highlight=False).print(compiled.hash)
