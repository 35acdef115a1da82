"""`keepgrow settings`: every setting, its value here and where that came from."""

from __future__ import annotations

import ast
import inspect
import itertools
import os
import re
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from feature_repo.settings import FeatureRepoSettings
from serving.settings import ServingSettings
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

PARTS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("Feature repository", FeatureRepoSettings),
    ("Training", TrainingSettings),
    ("Serving", ServingSettings),
)
PASSWORD = re.compile(r"(?<=//)([^@/]*)@")


def sentences(settings: type[BaseSettings]) -> dict[str, str]:
    """Return the sentence below each field of *settings*, on one line."""
    (body,) = ast.parse(dedent(inspect.getsource(settings))).body
    found: dict[str, str] = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, following in itertools.pairwise(statements):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(following.value.value).split())
    return found


def variable(settings: type[BaseSettings], field: str) -> str:
    """Return the environment variable that sets *field*."""
    alias = settings.model_fields[field].validation_alias
    prefix = settings.model_config.get("env_prefix", "")
    return alias if isinstance(alias, str) else f"{prefix}{field}".upper()


def shown(value: object) -> str:
    """Return *value* for people, with the user and password of an address hidden."""
    return PASSWORD.sub("***@", str(value))


def reference() -> str:
    """Return the page of all settings with their defaults, in Markdown."""
    lines = [
        "# Settings",
        "",
        "Set by environment variable; an empty variable counts as unset. `keepgrow settings` prints",
    ]
    lines += ["the values in force and where each came from.", ""]
    for title, settings in PARTS:
        lines += [f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        for field, info in settings.model_fields.items():
            default = "below `.keepgrow/`" if info.default_factory else f"`{info.default}`"
            lines.append(f"| `{variable(settings, field)}` | {default} | {sentences(settings)[field]} |")
        lines.append("")
    return "\n".join(lines)


def settings(
    *,
    markdown: Annotated[bool, typer.Option(help="Print the reference page with defaults instead.")] = False,
) -> None:
    """Print every setting, its value and where it came from."""
    if markdown:
        typer.echo(reference(), nl=False)
        return
    console = Console(highlight=False)
    for title, part in PARTS:
        values = part()
        table = Table("variable", "value", "from", "meaning", title=title, title_justify="left")
        for field in part.model_fields:
            name = variable(part, field)
            source = "environment" if os.environ.get(name) else "default"
            table.add_row(name, shown(getattr(values, field)), source, sentences(part)[field])
        console.print(table)
    console.print(f"current folder: {Path.cwd()}")
