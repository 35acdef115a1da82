"""`python -m loadtests.bench run|docs`: measure side by side, or write what was found into the docs."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from loadtests.bench.agreement import require_agreement
from loadtests.bench.bulk import BulkRound, compare
from loadtests.bench.documentation import write_documentation
from loadtests.bench.measure import measure_all, start_all
from loadtests.bench.plan import EVERYBODY, FULL, QUICK, SCORERS, Plan
from loadtests.bench.results import Results, read_results
from loadtests.bench.servers import ROOT, SERVERS, Setting, running
from loadtests.bench.tables import bounds_table, server_rows, terminal_table
from loadtests.bench.world import World

if TYPE_CHECKING:
    from loadtests.bench.sample import Sample
    from loadtests.bench.valkey import Valkey

RESULTS: Final = ROOT / "build" / "bench.json"
ACCOUNTS_COMPARED: Final = 25

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)
TABLE_WIDTH: Final = 180
TERMINATED: Final = 143


@app.command()
def run(
    only: Annotated[str, typer.Option(help="Servers to measure, with commas between; all by default.")] = "",
    out: Annotated[Path, typer.Option(help="File of results.")] = RESULTS,
    folder: Annotated[Path, typer.Option(help="Where made data is kept.")] = ROOT / "build" / "bench",
    accounts: Annotated[int, typer.Option(help="Accounts in the online store.", min=500)] = 10_000,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Less than three minutes; rougher figures.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a bound does not hold.")] = False,
) -> None:
    """Measure all servers side by side, print the tables, write the file of results."""
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(TERMINATED)
    )  # so that every server is stopped then, too
    plan = QUICK if quick else FULL
    names = tuple(only.split(",")) if only else EVERYBODY
    unknown = set(names) - set(EVERYBODY)
    if unknown:
        raise typer.BadParameter(
            f"there is no {', '.join(sorted(unknown))}; there are {', '.join(EVERYBODY)}"
        )
    world = World(folder, accounts, _tell)
    with world.setting() as (setting, valkey):
        samples, bulk, starts = _measure(plan, names, setting, valkey)
    manifest = json.loads((setting.bundle / "manifest.json").read_text(encoding="utf-8"))
    results = Results(
        plan=plan.name,
        made_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        accounts=accounts,
        features=len(manifest["contract"]["features"]),
        trees=_trees(setting),
        model=setting.model,
        bento=setting.bento,
        samples=tuple(samples),
        bulk=tuple(bulk),
        starts=starts,
    )
    results.write(out)
    wide = console if console.is_terminal else Console(highlight=False, width=TABLE_WIDTH)
    wide.print(terminal_table(server_rows(results)))
    wide.print(bounds_table(results.figures))
    served = f"the bento {setting.bento}" if setting.bento else "the sources"
    console.print(f"{served}, model {setting.model}; all of it in {out}")
    if strict and not all(figure.passed for figure in results.figures):
        raise typer.Exit(1)


@app.command()
def docs(
    results: Annotated[Path, typer.Option(help="File of results.")] = RESULTS,
    page: Annotated[Path, typer.Option(help="Page to write into.")] = ROOT / "docs" / "performance.md",
    image: Annotated[Path, typer.Option(help="Picture to write.")] = ROOT / "docs" / "img" / "latency.svg",
) -> None:
    """Write the picture and the tables of the documentation from the file of results."""
    write_documentation(*read_results(results), page, image)
    console.print(f"wrote {page} and {image}")


def _tell(line: str) -> None:
    console.print(f"[dim]{dt.datetime.now(dt.UTC):%H:%M:%S}[/] {line}")


def _measure(
    plan: Plan, names: tuple[str, ...], setting: Setting, valkey: Valkey
) -> tuple[list[Sample], list[BulkRound], dict[str, list[float]]]:
    samples: list[Sample] = []
    bulk: list[BulkRound] = []
    starts: dict[str, list[float]] = {}
    for workers in plan.scenarios:
        with contextlib.ExitStack() as stack:
            started = start_all(stack, names, setting, workers, _tell)
            if workers == 1:
                for name, found in started.items():
                    starts.setdefault(name, []).append(round(found.start_seconds, 2))
                scorers = [started[name] for name in SCORERS if name in started]
                for one in scorers:
                    one.tree.release()
                accounts = setting.accounts_file.read_text(encoding="utf-8").split()[:ACCOUNTS_COMPARED]
                _tell(f"all servers that score agree on {require_agreement(scorers, accounts)} probabilities")
                for one in scorers:
                    one.tree.hold()
            samples += measure_all(started, setting, valkey.tree, plan, workers=workers, tell=_tell)
            if workers == 1 and "ours" in started:
                bulk = compare(started["ours"], setting, plan, _tell)
    if "ours" in names:
        ours = next(server for server in SERVERS if server.name == "ours")
        for _ in range(plan.starts - 1):
            with running(ours, setting, 1) as found:
                starts["ours"].append(round(found.start_seconds, 2))
    return samples, bulk, starts


def _trees(setting: Setting) -> int:
    import onnxruntime as ort  # noqa: PLC0415 - only to read what the graph says of itself

    options = ort.SessionOptions()
    options.log_severity_level = 3
    graph = str(setting.bundle / "bundle.onnx")
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    return int(facts.get("boosted_trees", facts.get("trees", "0")))


if __name__ == "__main__":
    app()
