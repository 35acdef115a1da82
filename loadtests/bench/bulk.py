"""500 accounts at once: one request to the service, against Feast's SDK that only reads their features."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from loadtests.bench.generator import Load
from loadtests.bench.measure import Generator
from loadtests.bench.sample import Spread
from loadtests.bench.servers import ROOT, Running, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtests.bench.plan import Plan


@dataclass(frozen=True, slots=True)
class BulkRound:
    """One round.

    Attributes:
        ours_ms: Median time of a request that scores 500 accounts.
        feast_ms: Median time of a reading of 500 accounts by Feast's SDK.
        errors: Failed requests.
    """

    ours_ms: float
    feast_ms: float
    errors: dict[str, int]

    @property
    def speedup(self) -> float:
        """How many times as fast we score as Feast reads."""
        return self.feast_ms / self.ours_ms


@dataclass(frozen=True, slots=True)
class FeastReader:
    """Feast's SDK in a process of its own."""

    commands: IO[str]
    answers: IO[str]

    def read(self, times: int) -> list[float]:
        """Return the milliseconds of each of some readings."""
        self.commands.write(f"{times}\n")
        self.commands.flush()
        return [seconds * 1e3 for seconds in json.loads(self.answers.readline())]


@contextlib.contextmanager
def feast_reader(setting: Setting) -> Iterator[FeastReader]:
    """Yield Feast's SDK, connected and warm."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "loadtests.bench.yardsticks.feast_reader", str(setting.accounts_file), "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        env=setting.environment(1),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the reader by Feast's SDK did not start")
        yield FeastReader(process.stdin, process.stdout)
    finally:
        process.stdin.close()
        process.wait(30)


def compare(target: Running, setting: Setting, plan: Plan, tell: Callable[[str], None]) -> list[BulkRound]:
    """Measure both ways in turn; the service is held while Feast reads, and is held afterwards."""
    rounds = []
    with feast_reader(setting) as feast, tempfile.TemporaryDirectory() as folder:
        for number in range(plan.bulk_rounds):
            load = Load(
                port=target.port, kind="score_many", accounts_file=str(setting.accounts_file), connections=1,
                seconds=30, most_requests=plan.bulk_requests, seed=number,
            )  # fmt: skip
            target.tree.release()
            try:
                said, latencies = Generator(load, Path(folder)).finish()
            finally:
                target.tree.hold()
            ours = float(np.median(latencies)) / 1e6 if len(latencies) else float("nan")
            rounds.append(
                BulkRound(ours, float(np.median(feast.read(plan.feast_readings))), dict(said["errors"]))
            )
            tell(f"500 accounts: ours {rounds[-1].ours_ms:.1f} ms, Feast's SDK {rounds[-1].feast_ms:.1f} ms")
    return rounds


def speedup(rounds: list[BulkRound]) -> Spread:
    """Return how many times as fast we score as Feast reads, over the rounds."""
    return Spread.of(one.speedup for one in rounds)
