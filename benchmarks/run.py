"""The command behind `make bench-models`: the benchmarks in this folder, one after another, all bounded in time.

A benchmark is a module with a `__main__` part, other than this one and the page. Each runs in a process of its own; one
that fails or takes too long is named at the end, and the others still run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.page import write_page
from benchmarks.plan import RESULTS
from benchmarks.shared_data import ROOT, SETTING, folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOT_BENCHMARKS: Final = frozenset({"run", "page"})
ON_REQUEST: Final = frozenset({"ablation", "hillstrom_simulated", "synthetic_uplift"})
"""Run by `--only` alone: something in them is made up, or they take more time than all others together."""
FULL_SECONDS: Final = 7200
"""Twice and more what an idle machine of two cores takes: a busy one must not lose the last ones to the clock."""
QUICK_SECONDS: Final = 170
QUICK_ARGUMENTS: Final = {"hillstrom": ("--seeds", "1", "--out", "build/benchmarks/quick/hillstrom.md")}
"""What makes a benchmark quick that does not know `--quick`."""
MORE_SPLITS: Final = {
    "hillstrom, seeds 5 to 9": ("--first-seed", "5", "--out", "benchmarks/results/hillstrom-fresh.md"),
    "hillstrom, seed 100": (
        "--first-seed", "100", "--seeds", "1", "--out", "benchmarks/results/hillstrom-untouched.md",
    ),
}  # fmt: skip
"""Hillstrom on splits that served for nothing while methods were worked out, and on the half that did not serve to
choose the learner; part of a full run."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a benchmark went: `done`, `failed` or `stopped` for taking too long."""

    name: str
    state: str
    seconds: float


def benchmarks(scripts: Path) -> list[str]:
    """Return the names of the benchmarks in the folder *scripts*, sorted."""
    return sorted(
        path.stem
        for path in scripts.glob("*.py")
        if path.stem not in NOT_BENCHMARKS
        and 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
    )


def command(name: str, *, quick: bool) -> list[str]:
    """Return the command line of the benchmark *name*."""
    extra = QUICK_ARGUMENTS.get(name, ("--quick",)) if quick else ()
    return [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", *extra]


def run_all(commands: dict[str, list[str]], *, seconds: float) -> list[Ran]:
    """Run *commands* one after another, all within *seconds*; a child that is over time is killed.

    Args:
        commands: By benchmark.
        seconds: For all together.
    """
    deadline = time.monotonic() + seconds
    ran = []
    for name, words in commands.items():
        began = time.monotonic()
        print(f"{name}: {' '.join(words[3:])}", flush=True)  # noqa: T201 - a command
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(words, cwd=ROOT, env=environment, start_new_session=True) as process:  # noqa: S603 - ours
            try:
                state = "failed" if process.wait(max(1.0, deadline - began)) else "done"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                state = "stopped"
        ran.append(Ran(name, state, time.monotonic() - began))
        print(f"{name}: {state} after {ran[-1].seconds:.0f} s", flush=True)  # noqa: T201
    return ran


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return 1 if a benchmark failed or was stopped."""
    parser = argparse.ArgumentParser(description="Keepgrow's models beside yardsticks")
    parser.add_argument("--quick", action="store_true", help="fewer seeds and trials; results in build/ only")
    parser.add_argument("--only", help="benchmarks to run, separated by commas")
    parser.add_argument("--seconds", type=float, help="bound on all together")
    given = parser.parse_args(arguments)
    names = benchmarks(ROOT / "benchmarks")
    if not given.only:
        names = [name for name in names if name not in ON_REQUEST]
    else:
        unknown = sorted(set(given.only.split(",")) - set(names))
        if unknown:
            parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(names)}")
        names = given.only.split(",")
    if not folder().is_dir():
        print(f"{folder()} is not there; {SETTING} names the folder of the shared data sets")  # noqa: T201 - a command
        return 1
    bound = given.seconds or (QUICK_SECONDS if given.quick else FULL_SECONDS)
    commands = {name: command(name, quick=given.quick) for name in names}
    if "hillstrom" in names and not given.quick:
        again = command("hillstrom", quick=False)
        commands |= {title: [*again, *splits] for title, splits in MORE_SPLITS.items()}
    ran = run_all(commands, seconds=bound)
    if not given.quick:
        write_page(RESULTS)
    wrong = [one for one in ran if one.state != "done"]
    for one in wrong:
        print(f"{one.name} {one.state}: its result is that of an earlier run, if any")  # noqa: T201 - a command
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
