"""Measures servers side by side: all are started, and all are held but the one that is asked."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from loadtests.bench.generator import Load, as_json
from loadtests.bench.sample import Sample, latency_quantiles
from loadtests.bench.servers import ROOT, SERVERS, Running, Setting, running

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Sequence

    from loadtests.bench.plan import Plan, Scenario
    from loadtests.bench.process_tree import ProcessTree

_GRACE_SECONDS: Final = 30.0


class Generator:
    """A load generator in a process of its own, under way."""

    def __init__(self, load: Load, folder: Path) -> None:
        self._load = load
        self._file = folder / f"{load.kind}-{load.port}.bin"
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "loadtests.bench.generator", str(self._file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(as_json(load))
        self._process.stdin.close()
        self._process.stdin = None

    def finish(self) -> tuple[dict[str, Any], np.ndarray[Any, np.dtype[np.int64]]]:
        """Wait for its end; return what it says and the latencies in nanoseconds."""
        load = self._load
        limit = load.seconds + load.warm_up_seconds + load.timeout_seconds + _GRACE_SECONDS
        try:
            said, _ = self._process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        if self._process.returncode:
            raise RuntimeError(f"the load generator ended with {self._process.returncode}")
        return json.loads(said), np.fromfile(self._file, dtype=np.int64)


def measure(
    target: Running,
    setting: Setting,
    store: ProcessTree,
    scenario: Scenario,
    *,
    number: int,
    warm_up_seconds: float,
) -> Sample:
    """Ask one server, which must not be held, and return what came of it.

    Args:
        target: The server.
        setting: What all servers share.
        store: The online store's processes.
        scenario: How to ask.
        number: Number of the round.
        warm_up_seconds: How long to ask before measuring.
    """
    load = Load(
        port=target.port,
        kind=scenario.kind or target.server.kind,
        accounts_file=str(setting.accounts_file),
        connections=scenario.connections,
        seconds=scenario.seconds,
        warm_up_seconds=warm_up_seconds,
        rate=scenario.rate,
        seed=number,
    )
    with tempfile.TemporaryDirectory() as folder:
        before, store_before = target.tree.cpu_seconds(), store.cpu_seconds()
        generator = Generator(load, Path(folder))
        beside = None
        if scenario.bulk_rate:
            bulk = Load(
                port=target.port, kind="score_many", accounts_file=str(setting.accounts_file), connections=1,
                seconds=scenario.seconds + warm_up_seconds, rate=scenario.bulk_rate, seed=number,
            )  # fmt: skip
            beside = Generator(bulk, Path(folder))
        said, latencies = generator.finish()
        errors = dict(said["errors"])
        if beside is not None:
            for what, count in beside.finish()[0]["errors"].items():
                errors[f"500 accounts: {what}"] = count
        used, store_used = target.tree.cpu_seconds() - before, store.cpu_seconds() - store_before
    memory = target.tree.memory()
    answers = max(said["answers"], 1)
    return Sample(
        server=target.server.name,
        workers=target.workers,
        scenario=scenario.name,
        model=scenario.model,
        connections=scenario.connections,
        rate=scenario.rate,
        round=number,
        requests=len(latencies),
        seconds=said["seconds"],
        errors=errors,
        latency_ms=latency_quantiles(latencies),
        cpu_ms=used / answers * 1e3,
        store_cpu_ms=store_used / answers * 1e3,
        rss_mb=memory.largest_process,
        rss_total_mb=memory.total,
        generator_busy_ratio=said["cpu_seconds"] / said["seconds"],
        late_p99_ms=said["late_p99_ms"],
    )


def start_all(
    stack: contextlib.ExitStack,
    names: Sequence[str],
    setting: Setting,
    workers: int,
    tell: Callable[[str], None],
) -> dict[str, Running]:
    """Start the servers one after the other, each while the others are held, and leave all of them held."""
    started: dict[str, Running] = {}
    for server in SERVERS:
        if server.name in names:
            started[server.name] = found = stack.enter_context(running(server, setting, workers))
            found.tree.hold()
            tell(f"{server.name}, workers {workers}, answers after {found.start_seconds:.1f} s")
    return started


def measure_all(
    started: dict[str, Running],
    setting: Setting,
    store: ProcessTree,
    plan: Plan,
    *,
    workers: int,
    tell: Callable[[str], None],
) -> list[Sample]:
    """Measure all scenarios for some number of workers; each round asks the servers in another order."""
    samples: list[Sample] = []
    scenarios = plan.scenarios[workers]
    for number in range(max(scenario.rounds for scenario in scenarios)):
        for scenario in scenarios:
            if number >= scenario.rounds:
                continue
            names = [name for name in scenario.servers if name in started]
            random.Random(f"{number} {scenario.name}").shuffle(names)
            for name in names:
                target = started[name]
                target.tree.release()
                try:
                    sample = measure(
                        target, setting, store, scenario, number=number, warm_up_seconds=plan.warm_up_seconds
                    )
                finally:
                    target.tree.hold()
                samples.append(sample)
                failures = f", FAILED {sample.errors}" if sample.failed else ""
                tell(
                    f"round {number + 1}, {scenario.name}, {name}: {sample.rps:,.0f}/s, "
                    f"p50 {sample.quantile(0.5):.1f} ms, p99 {sample.quantile(0.99):.1f} ms{failures}"
                )
    return samples
