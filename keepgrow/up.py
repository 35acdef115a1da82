"""`keepgrow up`: from whatever is there to a service that answers; what exists and is current is not made again."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

import keepgrow
from feature_repo.errors import DataFolderError
from keepgrow.greeting import greet
from keepgrow.online_store import claim_store, note_filled
from keepgrow.processes import StepFailedError, run, running, terminate_like_interrupt
from keepgrow.valkey import running_valkey
from keepgrow.workspace import Workspace, fingerprint, folder_fingerprint

if TYPE_CHECKING:
    from subprocess import Popen

SYNTHETIC_WORLD = ("--accounts", "2000", "--days", "540", "--seed", "7")
READY_WITHIN_SECONDS = 60.0
STOPPED = 130
PACKAGE_ROOT = Path(keepgrow.__file__).resolve().parent.parent

console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Made:
    """What the steps before serving made.

    Attributes:
        data: The raw tables.
        model: Tag of the bundle to serve.
        clock_start: Where the service's clock starts, or None for the machine's time.
        synthetic: Whether the data is simulated.
    """

    data: Path
    model: str
    clock_start: dt.datetime | None
    synthetic: bool


def up(
    data: Annotated[
        Path | None, typer.Option(help="Folder of raw tables; without it a synthetic world is made.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
    home: Annotated[Path, typer.Option(envvar="KEEPGROW_HOME", help="Where made things are kept.")] = Path(
        ".keepgrow"
    ),
    *,
    prepare_only: Annotated[bool, typer.Option(help="Make everything, but do not serve.")] = False,
) -> None:
    """Make what is missing, then serve: data, features, online store, model, service."""
    if data is not None and not data.is_dir():
        raise DataFolderError(f"{data}: there is no such folder; DATA names a folder of raw tables")
    workspace = Workspace.for_data(home, data)
    workspace.root.mkdir(parents=True, exist_ok=True)
    try:
        with terminate_like_interrupt(), contextlib.ExitStack() as stack:
            redis_url = os.environ.get("REDIS_URL") or stack.enter_context(running_valkey(workspace.valkey))
            env = {
                "BENTOML_DO_NOT_TRACK": "True",
                "REDIS_URL": redis_url,
                "KEEPGROW_FEATURES_DIR": str(workspace.features.resolve()),
                "KEEPGROW_REGISTRY": str(workspace.registry.resolve()),
                "LEDGER_URL": os.environ.get("LEDGER_URL") or workspace.ledger_url,
            }
            made = prepare(workspace, data, env)
            if not prepare_only:
                serve(workspace, made, env, host, port)
    except KeyboardInterrupt:
        console.print(
            "\nStopped; everything that was started has been ended. The same command goes on from here."
        )
        raise SystemExit(STOPPED) from None
    except StepFailedError as error:
        console.print(
            f"[bold red]error:[/] {error}. What was complete is kept; the same command goes on from here."
        )
        raise SystemExit(error.exit_code) from error


def prepare(workspace: Workspace, data: Path | None, env: dict[str, str]) -> Made:
    """Make whatever is missing or out of date for *data*, each step from the fingerprints of what it rests on."""
    raw = data if data is not None else workspace.root / "raw"
    command = [sys.executable, "-m", "keepgrow"]
    if data is None:
        _step(workspace, "data", fingerprint(*SYNTHETIC_WORLD, _code_print("training/synthetic")),
              [*command, "synth", *SYNTHETIC_WORLD, "--force", str(raw)], env, present=raw.exists())  # fmt: skip
    raw_print = folder_fingerprint(raw)
    _step(workspace, "check", raw_print, [*command, "check", str(raw)], env)
    features_print = fingerprint(raw_print, _code_print("feature_repo"))
    _step(workspace, "features", features_print,
          [*command, "features", "build", str(raw), str(workspace.features)], env,
          present=workspace.features.exists())  # fmt: skip
    end = _as_of(workspace)
    store_print = fingerprint(features_print, end, env["REDIS_URL"].split("@")[-1])
    shared = bool(os.environ.get("REDIS_URL"))
    filled = claim_store(env["REDIS_URL"], raw, shared=shared) == store_print
    _step(workspace, "store", store_print,
          [*command, "materialize", "--apply", end.isoformat()], env, present=filled)  # fmt: skip
    note_filled(env["REDIS_URL"], store_print)
    truth = truth_words(raw)
    model_print = fingerprint(features_print, _code_print("training"), bool(truth))
    _step(workspace, "model", model_print,
          [*command, "train", str(raw), *truth, "--tag-file", str(workspace.model_tag)], env,
          present=_model_exists(workspace))  # fmt: skip
    _write_account_ids(workspace)
    now = dt.datetime.now(dt.UTC)
    old = now - end > dt.timedelta(days=1)
    return Made(
        data=raw,
        model=to_serve(workspace.model_tag.read_text(encoding="utf-8").strip()),
        clock_start=end if old else None,
        synthetic=data is None,
    )


def truth_words(raw: Path) -> list[str]:
    """Return what `keepgrow train` is told of the truth of a synthetic world; nothing where *raw* has none."""
    truth = raw / "truth"
    return ["--truth", str(truth)] if any((truth / "hazards").glob("*.parquet")) else []


def _step(
    workspace: Workspace,
    name: str,
    made_from: str,
    command: list[str],
    env: dict[str, str],
    *,
    present: bool = True,
) -> None:
    """Run *command* unless the step is complete for *made_from* and its result is still *present*."""
    if present and workspace.made_from(name) == made_from:
        console.print(f"[dim]{name}: current[/]")
        return
    console.rule(f"[bold]{name}")
    start = time.monotonic()
    run(command, env)
    workspace.note_made(name, made_from)
    console.print(f"[dim]{name}: {time.monotonic() - start:.1f} s[/]")


def _code_print(package: str) -> str:
    """Return a digest of the sources of one of our packages: changed code makes its results anew."""
    digest = hashlib.sha256()
    for path in sorted((PACKAGE_ROOT / package).rglob("*")):
        if path.suffix in {".py", ".yaml"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _as_of(workspace: Workspace) -> dt.datetime:
    """Return the end of the last day that has features, as a UTC time."""
    import duckdb

    newest = max((workspace.features / "usage").glob("*.parquet"), default=None)
    if newest is None:
        raise DataFolderError(f"{workspace.features}: no features were built; does the data hold any usage?")
    rows = duckdb.read_parquet(str(newest)).aggregate("epoch(max(event_timestamp))").fetchall()
    return dt.datetime.fromtimestamp(float(rows[0][0]), dt.UTC)


def _write_account_ids(workspace: Workspace) -> None:
    """Write the ids of the accounts with features of the last day, for load tests and for trying out."""
    import duckdb

    newest = max((workspace.features / "profile").glob("*.parquet"))
    profile = duckdb.read_parquet(str(newest))
    rows = profile.query(
        "profile",
        "SELECT account_id FROM profile QUALIFY event_timestamp = max(event_timestamp) OVER () "
        "AND has_active_subscription ORDER BY hash(account_id)",
    ).fetchall()
    workspace.account_ids.write_text("".join(f"{row[0]}\n" for row in rows), encoding="utf-8")


def _model_exists(workspace: Workspace) -> bool:
    """Return whether the bundle that was trained here is still in the model store."""
    from serving.bundle.loader import find_bundle
    from serving.errors import ServingError

    if not workspace.model_tag.exists():
        return False
    try:
        find_bundle(workspace.model_tag.read_text(encoding="utf-8").strip())
    except ServingError:
        return False
    return True


def to_serve(trained: str) -> str:
    """Return the champion if it is of the same data set and feature contract as *trained*, else *trained*.

    The model store may be shared with other workspaces, whose champion knows nothing of this one's accounts.
    """
    from keepgrow.promotions import champion_tag
    from serving.bundle.loader import read_manifest
    from serving.bundle.store import default_store, find_bundle
    from serving.errors import BundleError

    champion = champion_tag(default_store())
    if champion in {None, trained}:
        if champion is None:
            console.print(f"[dim]model: {trained}, not promoted; `keepgrow promote {trained}` judges it[/]")
        return trained
    try:
        ours, theirs = (read_manifest(find_bundle(str(tag))) for tag in (trained, champion))
    except BundleError as error:
        console.print(f"[yellow]model: {trained}; the champion {champion} can't be read: {error}[/]")
        return trained
    of_it = (ours.provenance.dataset, ours.contract_hash) == (theirs.provenance.dataset, theirs.contract_hash)
    if not of_it:
        console.print(f"[dim]model: {trained}, not promoted; the champion {champion} is of other data[/]")
        return trained
    console.print(f"[dim]model: the champion {champion}; {trained} was not promoted[/]")
    return str(champion)


def serve(workspace: Workspace, made: Made, env: dict[str, str], host: str, port: int) -> None:
    """Run the service until it is stopped, and say how to use it once it is ready."""
    env = {**env, "KEEPGROW_MODEL": made.model}
    catalogue = made.data / "catalogue.yaml"
    if catalogue.exists() and "KEEPGROW_CATALOGUE" not in os.environ:
        env["KEEPGROW_CATALOGUE"] = str(catalogue.resolve())
    if made.clock_start is not None:
        env["KEEPGROW_CLOCK_START"] = made.clock_start.isoformat()
    bentoml = shutil.which("bentoml", path=str(Path(sys.executable).parent)) or "bentoml"
    command = [bentoml, "serve", "serving.service:Keepgrow", "--host", host, "--port", str(port)]
    console.rule("[bold]service")
    start = time.monotonic()
    with running(command, env) as process:
        _wait_until_ready(process, f"http://{host}:{port}", command)
        greet(
            f"http://{host}:{port}",
            world="a [bold]synthetic[/] world" if made.synthetic else str(made.data),
            model=made.model,
            account_ids=workspace.account_ids,
            clock_start=made.clock_start,
            seconds=time.monotonic() - start,
            env=env,
        )
        code = process.wait()
    if code:
        raise StepFailedError(command, code)


def _wait_until_ready(process: Popen[bytes], url: str, command: list[str]) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StepFailedError(command, process.returncode or 1)
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{url}/readyz", timeout=2),  # noqa: S310 - http to our own service
        ):
            return
        time.sleep(0.1)
    console.print(f"[bold red]error:[/] {url}/readyz did not answer within {READY_WITHIN_SECONDS:.0f} s")
    raise StepFailedError(command, 1)
