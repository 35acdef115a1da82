"""The servers under test: how each is started, asked and found ready. All get the same store and bundle."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loadtests.bench.generator import HOST, Load, load_shots, run
from loadtests.bench.process_tree import ProcessTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtests.bench.workload import Kind

ROOT: Final = Path(__file__).resolve().parents[2]
_READY_SECONDS: Final = 90.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What all servers of one benchmark share.

    Attributes:
        redis_url: The online store.
        bundle: Folder of the bundle.
        model: Its tag.
        bento: Tag of the built bento; empty to serve the sources.
        bentoml_home: BentoML's store.
        feast_repo: Folder with a plain `feature_store.yaml`, as a Feast user writes it.
        accounts_file: Ids of the accounts in the store, one a line.
        clock_start: ISO time at which the features are fresh.
        logs: Folder for what servers print.
    """

    redis_url: str
    bundle: Path
    model: str
    bento: str
    bentoml_home: Path
    feast_repo: Path
    accounts_file: Path
    clock_start: str
    logs: Path

    def environment(self, workers: int) -> dict[str, str]:
        """Return the environment of every server; nothing of the caller's own settings goes in."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("KEEPGROW_", "BENTOML_"))
        }
        return kept | {
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": self.redis_url,
            "LEDGER_URL": f"sqlite:///{self.logs.resolve() / 'ledger.db'}",
            "BENTOML_HOME": str(self.bentoml_home),
            "BENTOML_DO_NOT_TRACK": "True",
            "FEAST_USAGE": "False",
            "KEEPGROW_MODEL": self.model,
            "KEEPGROW_WORKERS": str(workers),
            "KEEPGROW_CLOCK_START": self.clock_start,
            "BENCH_BUNDLE": str(self.bundle),
            "BENCH_FEAST_REPO": str(self.feast_repo),
            "BENCH_WORKERS": str(workers),
        }


@dataclass(frozen=True, slots=True)
class Server:
    """A kind of server.

    Attributes:
        name: Short name, in tables and in JSON.
        title: What it is, in a line.
        kind: Kind of request that it answers.
        command: Makes the command line of a setting, a port and a number of workers.
        with_sources: Whether it runs from our sources; the bento must run from what was built into it.
    """

    name: str
    title: str
    kind: Kind
    command: Callable[[Setting, int, int], list[str]] = field(repr=False)
    with_sources: bool = True


def program(name: str) -> str:
    """Return the path of a program that was installed beside this Python."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def _uvicorn(module: str) -> Callable[[Setting, int, int], list[str]]:
    target = f"loadtests.bench.yardsticks.{module}:app"
    return lambda _, port, workers: [
        *(sys.executable, "-m", "uvicorn", target, "--host", HOST, "--port", str(port)),
        *("--workers", str(workers), "--no-access-log", "--log-level", "warning"),
    ]


def _bentoml(target: Callable[[Setting], str]) -> Callable[[Setting, int, int], list[str]]:
    return lambda setting, port, _: [
        program("bentoml"),
        "serve",
        target(setting),
        "--host",
        HOST,
        "--port",
        str(port),
    ]


def _feast(setting: Setting, port: int, workers: int) -> list[str]:
    # Its workers start anew every 1,000 requests, for seconds; that is off, in its favour.
    return [
        *(program("feast"), "--chdir", str(setting.feast_repo), "serve", "--host", HOST, "--port", str(port)),
        *("--workers", str(workers), "--max-requests", "0", "--no-access-log"),
    ]


SERVERS: Final = (
    Server("constant", "uvicorn, an app that answers a constant", "constant", _uvicorn("constant")),
    Server("floor", "floor: uvicorn, bare ASGI, redis.asyncio, ONNX, orjson", "score", _uvicorn("floor")),
    Server(
        "ours",
        "ours: the bento under bentoml serve",
        "score",
        _bentoml(lambda setting: setting.bento or "serving.service:Keepgrow"),
        with_sources=False,
    ),
    Server(
        "ordinary",
        "the ordinary way: BentoML, Feast SDK, ONNX",
        "ordinary",
        _bentoml(lambda _: "loadtests.bench.yardsticks.ordinary:OrdinaryScorer"),
    ),
    Server("fastapi-feast", "FastAPI, Feast SDK, ONNX", "fastapi", _uvicorn("fastapi_feast")),
    Server("feast-server", "Feast's feature server (no model)", "feast_server", _feast),
)


def free_port() -> int:
    """Return a port on loopback that nobody listens on right now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers.

    Attributes:
        server: Its kind.
        workers: Number of its workers.
        port: Its port on loopback.
        tree: Its processes.
        start_seconds: From its start to its first right answer.
        log: What it printed.
    """

    server: Server
    workers: int
    port: int
    tree: ProcessTree
    start_seconds: float
    log: Path


@contextlib.contextmanager
def running(server: Server, setting: Setting, workers: int) -> Iterator[Running]:
    """Yield the server once it has given a right answer, and stop it at the end.

    Raises:
        RuntimeError: It gives none in time, or ends.
    """
    port = free_port()
    setting.logs.mkdir(parents=True, exist_ok=True)
    log = setting.logs / f"{server.name}-{workers}.log"
    environment = setting.environment(workers)
    folder = ROOT
    if not server.with_sources and setting.bento:
        del environment["PYTHONPATH"]
        folder = setting.logs
    with log.open("wb") as out:
        start = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - our own command lines
            server.command(setting, port, workers), env=environment, cwd=folder, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    tree = ProcessTree(process.pid)
    try:
        seconds = _until_ready(server, setting, port, process, log=log, start=start)
        yield Running(server, workers, port, tree, seconds, log)
    finally:
        tree.stop()
        process.wait()


def _until_ready(
    server: Server, setting: Setting, port: int, process: subprocess.Popen[bytes], *, log: Path, start: float
) -> float:
    """Return the seconds from *start* to the first right answer."""
    probe = Load(port, server.kind, str(setting.accounts_file), connections=1, seconds=5, most_requests=1)
    shots = load_shots(probe)[:1]
    found = ""
    while (seconds := time.monotonic() - start) < _READY_SECONDS:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            outcome = run(probe, shots)
            if outcome.answered:
                return time.monotonic() - start
            found = f"; it answers: {', '.join(outcome.errors)}"
        time.sleep(0.05)
    raise RuntimeError(f"{server.name} gave no right answer within {seconds:.0f} s{found}; see {log}")
