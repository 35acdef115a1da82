"""`keepgrow models`: what stands in the model store, which bundle is the champion, and how it became that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from serving.bundle.manifest import Manifest
    from serving.bundle.store import StoredBundle

CARD_FILE = "card.html"
_SHOWN = {
    "roc_auc": "ROC AUC",
    "average_precision": "avg precision",
    "brier": "Brier",
    "lift_top_decile": "lift 10 %",
}

models_app = typer.Typer(no_args_is_help=True, help="List and show bundles in the model store.")
TagArgument = Annotated[
    str, typer.Argument(help="Model tag, such as keepgrow:latest or keepgrow:champion.", show_default=True)
]


@models_app.command("list")
def list_models() -> None:
    """List the bundles in the model store, newest first, and say which is the champion."""
    from keepgrow.promotions import champion_tag
    from serving.bundle.store import default_store, list_bundles

    bundles = list_bundles()
    if not bundles:
        print(f"The model store {default_store()} holds no bundle; `keepgrow train` makes one.")
        return
    champion = champion_tag(default_store())
    table = Table(title=f"Bundles in {default_store()}", title_justify="left")
    for heading in ("tag", "", "saved (UTC)", "data set", "features", "test ROC AUC"):
        table.add_column(heading, no_wrap=heading == "tag")
    for bundle in bundles:
        table.add_row(
            bundle.tag,
            "champion" if bundle.tag == champion else "",
            f"{bundle.created_at:%Y-%m-%d %H:%M}",
            bundle.labels.get("dataset", "?") + _simulated(bundle),
            str(bundle.metadata.get("model_features", "?")),
            ", ".join(
                f"{name} {auc:.3f}" for name, auc in dict(bundle.metadata.get("test_roc_auc", {})).items()
            ),
        )
    Console().print(table)
    if champion is not None and champion not in {bundle.tag for bundle in bundles}:
        print(f"The champion {champion} is no longer there; promote another bundle.")


@models_app.command("history")
def history() -> None:
    """List who promoted what and when, what was refused and why, oldest first."""
    from keepgrow.promotions import history_file, read_history
    from serving.bundle.store import default_store

    lines = read_history(default_store())
    if not lines:
        print(f"{history_file(default_store())} holds no promotion yet; `keepgrow promote TAG` makes one.")
        return
    table = Table(title=str(history_file(default_store())), title_justify="left")
    for heading in ("at (UTC)", "by", "tag", "decision", "replaces", "why"):
        table.add_column(heading, no_wrap=heading in {"at (UTC)", "tag", "decision"})
    for one in lines:
        refused = [
            f"{gate['name']} ({gate['subject']}): {gate['value']}"
            for gate in one.gates
            if gate["verdict"] in {"refused", "not measured"}
        ]
        why = ([one.reason] if one.reason else []) + refused
        table.add_row(
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            escape(one.by),
            one.tag,
            one.decision,
            one.replaces or "-",
            escape("; ".join(why)),
        )
    Console().print(table)


@models_app.command("show")
def show_model(
    tag: TagArgument = "keepgrow:latest",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifest as JSON.")] = False,
) -> None:
    """Show a bundle's labels, metadata and test metrics against the baselines."""
    from keepgrow.promotions import champion_tag, read_history
    from serving.bundle.loader import read_manifest
    from serving.bundle.store import default_store, describe_bundle, find_bundle

    path = find_bundle(tag)
    manifest = read_manifest(path)
    if as_json:
        print(manifest.model_dump_json(indent=2))
        return
    bundle = describe_bundle(path)
    promoted = [one for one in read_history(default_store()) if one.tag == bundle.tag]
    console = Console()
    facts = Table(title=f"{bundle.tag}{_simulated(bundle)}", title_justify="left", show_header=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("folder", str(path))
    facts.add_row("saved (UTC)", f"{bundle.created_at:%Y-%m-%d %H:%M:%S}")
    facts.add_row(
        "champion", "yes" if bundle.tag == champion_tag(default_store()) else "no", end_section=True
    )
    for one in promoted:
        why = f": {one.reason}" if one.reason else ""
        facts.add_row(
            one.decision.replace("_", " "),
            escape(f"{one.at:%Y-%m-%d %H:%M:%S} by {one.by}{why}"),
            end_section=one is promoted[-1],
        )
    for kind, pairs in (("label", bundle.labels), ("metadata", bundle.metadata)):
        for number, (name, value) in enumerate(pairs.items(), start=1):
            facts.add_row(f"{kind} {name}", _plain(value), end_section=number == len(pairs))
    for head in manifest.heads:
        facts.add_row(f"{head.name} means", head.definition)
        facts.add_row(
            f"{head.name} thresholds",
            ", ".join(f"{name} {value:.3f}" for name, value in head.thresholds.items()),
        )
    console.print(facts)
    console.print(_metrics_table(manifest))


@models_app.command("card")
def card(tag: TagArgument = "keepgrow:latest") -> None:
    """Print the path of a bundle's model card, an HTML page."""
    from serving.bundle.store import find_bundle
    from serving.errors import BundleError

    file = find_bundle(tag) / CARD_FILE
    if not file.is_file():
        raise BundleError(f"bundle {tag!r} has no {CARD_FILE}")
    print(file)


def _metrics_table(manifest: Manifest) -> Table:
    table = Table(title="On test cutoffs, with intervals", title_justify="left")
    for heading in ("head", "model", *_SHOWN.values()):
        table.add_column(heading)
    for head, entry in manifest.metrics.get("heads", {}).items():
        for horizon, found in entry.get("horizons", {}).items():
            title = f"{head} {horizon} ({found['events']}/{found['rows']})"
            names = list(found["models"])
            for name, model in found["models"].items():
                cells = [_figure(model["metrics"].get(key)) for key in _SHOWN]
                table.add_row(title, name.replace("_", " "), *cells, end_section=name == names[-1])
                title = ""
    return table


def _figure(figure: dict[str, float | None] | None) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def _simulated(bundle: StoredBundle) -> str:
    return " (synthetic)" if bundle.labels.get("synthetic") == "true" else ""


def _plain(value: Any) -> str:  # noqa: ANN401 -- any metadata value
    return value if isinstance(value, str) else json.dumps(value, default=str)
