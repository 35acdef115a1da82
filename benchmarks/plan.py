"""How much a run does, and the command-line options that every benchmark shares."""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from benchmarks.shared_data import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS: Final = ROOT / "benchmarks" / "results"
QUICK_RESULTS: Final = ROOT / "build" / "benchmarks" / "quick"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much a run does.

    Attributes:
        name: `full` or `quick`.
        seeds: One repeat each.
        trials: Settings that Optuna tries for each yardstick and fold.
        samples: Resamples behind an interval.
    """

    name: Literal["full", "quick"]
    seeds: tuple[int, ...]
    trials: int
    samples: int


FULL: Final = Plan("full", seeds=(1, 2, 3), trials=8, samples=400)
QUICK: Final = Plan("quick", seeds=(1,), trials=2, samples=200)


@dataclass(frozen=True, slots=True)
class Run:
    """What one benchmark is asked to do.

    Attributes:
        plan: How much.
        out: Folder for the result.
        work: Folder for what may be kept between runs.
        today: Day that the result carries.
    """

    plan: Plan
    out: Path
    work: Path
    today: dt.date


def asked(description: str, arguments: Sequence[str] | None = None) -> Run:
    """Return what the command line asks for.

    Args:
        description: What the benchmark does, for `--help`.
        arguments: Instead of those of the process.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer seeds and trials: a rough answer")
    parser.add_argument(
        "--out", type=Path, help="folder for the result; benchmarks/results, or one in build/ for --quick"
    )
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "benchmarks", help="what may be kept between runs"
    )
    given = parser.parse_args(arguments)
    return Run(
        plan=QUICK if given.quick else FULL,
        out=given.out or (QUICK_RESULTS if given.quick else RESULTS),
        work=given.work,
        today=dt.datetime.now(dt.UTC).date(),
    )
