"""`keepgrow bento`: builds the bento and proves that it answers; a bento that fails the proof is an error."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import keepgrow
from keepgrow.processes import StepFailedError, free_port, running, terminate_like_interrupt
from keepgrow.valkey import running_valkey
from serving.bundle.store import MODEL_NAME, default_store, find_bundle, has_champion
from serving.errors import ServingError

if TYPE_CHECKING:
    from subprocess import Popen

PROJECT = Path(keepgrow.__file__).resolve().parent.parent
READY_WITHIN_SECONDS = 60.0
FORBIDDEN = (
    "training",
    "keepgrow",
    "loadtests",
    "tests",
    "benchmarks",
    "feature_repo/pipeline",
    "feature_repo/views",
)
DATA_SUFFIXES = (".parquet", ".csv", ".db", ".rdb", ".aof")
STOPPED = 130
NOT_FOUND = 404

console = Console(highlight=False, soft_wrap=True)


class BentoError(ServingError):
    """The bento can't be built, holds what it should not, or does not answer."""


def bento(
    model: Annotated[
        str,
        typer.Option(envvar="KEEPGROW_MODEL", help="Tag of the bundle to pack; `keepgrow` is the champion."),
    ] = MODEL_NAME,
    *,
    check: Annotated[bool, typer.Option(help="Start the bento and ask it questions.")] = True,
) -> None:
    """Build the bento and check that it answers."""
    packed = to_pack(model)
    try:
        with terminate_like_interrupt():
            tag = build(packed)
            console.print(f"built    {tag} with {packed}")
            inspect(bento_folder(tag))
            console.print("holds    serving, the feature contract and the bundle; no training, no data")
            if check:
                probe(tag, packed)
    except KeyboardInterrupt:
        console.print("\nStopped; what was started has been ended.")
        raise SystemExit(STOPPED) from None
    except StepFailedError as error:
        raise BentoError(str(error)) from error
    console.print(f"serve it with: bentoml serve {tag}")


def to_pack(model: str) -> str:
    """Return the tag with the version that *model* stands for, and warn where it was never judged.

    Raises:
        BundleError: There is no such bundle.
    """
    packed = f"{MODEL_NAME}:{find_bundle(model).name}"
    if model == MODEL_NAME and not has_champion():
        console.print(
            f"[bold yellow]warning:[/] no bundle was promoted yet; the latest, {packed}, is packed. "
            f"`keepgrow promote {packed}` judges it."
        )
    return packed


def build(model: str) -> str:
    """Build the bento with the bundle *model* and return its tag.

    Raises:
        BentoError: BentoML could not build it.
    """
    command = [_bentoml(), "build", "--output", "tag", str(PROJECT)]
    env = {**os.environ, "BENTOML_DO_NOT_TRACK": "True", "KEEPGROW_MODEL": model, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=env, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603 -- our own command line
    found = re.search(r"__tag__:(\S+)", done.stdout)
    if done.returncode or found is None:
        raise BentoError(f"`bentoml build` failed:\n{done.stdout}{done.stderr}")
    return found[1]


def bento_folder(tag: str) -> Path:
    """Return the folder of the bento *tag* in BentoML's store."""
    name, _, version = tag.partition(":")
    return default_store().parent / "bentos" / name / version


def inspect(folder: Path) -> None:
    """Check what a bento holds.

    Raises:
        BentoError: It holds training code, tests or data, or lacks what serving needs.
    """
    source = folder / "src"
    files = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    wrong = [
        name
        for name in files
        if name.endswith(DATA_SUFFIXES) or any(name == one or name.startswith(f"{one}/") for one in FORBIDDEN)
    ]
    if wrong:
        raise BentoError(f"{folder}: holds what serving does not need: {', '.join(sorted(wrong)[:10])}")
    needed = {
        "serving/service.py",
        "serving/decisions/catalogue/catalogue.yaml",
        "serving/api/docs.html",
        "feature_repo/contract.py",
    }
    if missing := needed - set(files):
        raise BentoError(f"{folder}: lacks {', '.join(sorted(missing))}")


def probe(tag: str, model: str) -> None:
    """Start the bento on a free port, away from the sources, and check that it answers.

    Raises:
        BentoError: It does not become ready, or answers something else than it should.
        StepFailedError: It ended by itself.
    """
    with contextlib.ExitStack() as stack:
        elsewhere = stack.enter_context(tempfile.TemporaryDirectory(prefix="keepgrow-bento-"))
        redis_url = os.environ.get("REDIS_URL") or stack.enter_context(
            running_valkey(Path(elsewhere) / "valkey")
        )
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [
            _bentoml(),
            "serve",
            tag,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--working-dir",
            elsewhere,
        ]
        # The bento must stand on what it holds: no sources of ours on the path, no bundle named from outside.
        env = {
            "REDIS_URL": redis_url,
            "LEDGER_URL": f"sqlite:///{Path(elsewhere) / 'ledger.db'}",
            "BENTOML_DO_NOT_TRACK": "True",
            "PYTHONPATH": "",
            "PYTHONSAFEPATH": "1",
        }
        with _without("KEEPGROW_MODEL"):
            start = time.monotonic()
            process = stack.enter_context(running(command, env))
        _wait_until_ready(process, url, command)
        console.print(f"ready    after {time.monotonic() - start:.1f} s on {url}")
        if (served := _get(f"{url}/readyz")[1]["model"]) != model:
            raise BentoError(f"the bento serves {served}; it was built with {model}")
        for path in ("/livez", "/openapi.json", "/v1/models"):
            if (status := _get(url + path)[0]) != 200:  # noqa: PLR2004
                raise BentoError(f"{path} answers {status}")
        account = f"nobody-{dt.datetime.now(dt.UTC).timestamp()}"
        status, answer = _get(f"{url}/v1/score", {"account_id": account})
        if status != NOT_FOUND or answer["type"] != "urn:keepgrow:problem:unknown-account":
            raise BentoError(f"/v1/score answers {status} {answer} where an account is unknown")
        console.print("answers  /livez /readyz /openapi.json /v1/models /v1/score")


def _bentoml() -> str:
    return shutil.which("bentoml", path=str(Path(sys.executable).parent)) or "bentoml"


@contextlib.contextmanager
def _without(name: str) -> Any:  # noqa: ANN401 -- a generator of nothing
    """Within this context the environment lacks *name*."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value


def _get(url: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Return status and JSON of a GET, or of a POST with *body*."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310 -- http to our own service
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return int(answer.status), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _wait_until_ready(process: Popen[bytes], url: str, command: list[str]) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StepFailedError(command, process.returncode or 1)
        with contextlib.suppress(OSError):
            if _get(f"{url}/readyz")[0] == 200:  # noqa: PLR2004
                return
        time.sleep(0.1)
    raise BentoError(f"{url}/readyz did not become ready within {READY_WITHIN_SECONDS:.0f} s")
