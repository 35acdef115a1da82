"""ChurnSim: churn and upsell at 30, 60 and 90 days by `training.train`, on cutoffs later than all it was trained on.

The import, the features and their registration are the product's own commands; what they make is kept and made again
when the source or the feature code changes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.packages import versions
from benchmarks.plan import asked
from benchmarks.result import Figure, Line, Result, write
from benchmarks.shared_data import ROOT, shared
from benchmarks.targets import target_lines
from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import open_store
from training.definitions import HEADS, load_definitions
from training.evaluation.report import LABELS, OURS
from training.train import train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.plan import Run
    from benchmarks.result import TargetLine

TEST_FROM: Final = dt.date(2023, 7, 1)
SEEDS: Final = (7, 1, 2)
HORIZONS: Final = ("30d", "60d", "90d")
PUBLISHED: Final = {"churn": (0.752, 0.728, 0.673), "upsell": (0.920, 0.892, 0.871)}
METRICS: Final = {
    "roc_auc": ("ROC AUC", 3),
    "average_precision": ("average precision", 3),
    "brier": ("Brier score", 4),
    "calibration_ratio": ("predicted over observed", 2),
}


@dataclass(frozen=True, slots=True)
class Features:
    """Raw tables with their features, built and registered.

    Attributes:
        raw: Raw tables.
        folder: Daily feature tables.
        registry: Feast's registry.
    """

    raw: Path
    folder: Path
    registry: Path


def made_from(source: Path) -> str:
    """Return a digest of the source files' sizes and of all code that turns them into features."""
    digest = hashlib.sha256()
    for path in sorted(source.iterdir()):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    for path in sorted((ROOT / "feature_repo").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def prepared(source: Path, work: Path) -> Features:
    """Import, build and register the data set below *work*, unless that is done and current.

    Raises:
        CalledProcessError: A command of the product failed.
    """
    features = Features(work / "raw", work / "features", work / "registry.db")
    mark, wanted = work / "made-from", made_from(source)
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return features
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    places = ["--features", str(features.folder), "--registry", str(features.registry)]
    for words in (
        ["import", "churnsim", str(source), str(features.raw)],
        ["features", "build", str(features.raw), str(features.folder)],
        ["apply", *places],
    ):
        subprocess.run(  # noqa: S603 - the product's own command line
            [sys.executable, "-m", "keepgrow", *words],
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    mark.write_text(wanted, encoding="utf-8")
    return features


def reports(features: Features, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Train once a seed, and return the metrics that each training says of its test cutoffs."""
    shipped = load_definitions()
    chosen = shipped.model_copy(update={"split": shipped.split.model_copy(update={"test_from": TEST_FROM})})
    store = open_store(FeatureRepoSettings(features_dir=features.folder, registry=str(features.registry)))
    return [train(features.raw, store, chosen, seed=seed).metrics for seed in seeds]


def lines_of(found: Sequence[dict[str, Any]]) -> list[Line]:
    """Return a line a head, horizon and model; figures and intervals are those of the first seed."""
    lines = []
    for head in HEADS:
        for horizon, published in zip(HORIZONS, PUBLISHED[head], strict=True):
            over_seeds = [metrics["heads"][head]["horizons"][horizon] for metrics in found]
            first = over_seeds[0]
            group = f"{head} {horizon[:-1]} days, {first['events']:,} events in {first['rows']:,} rows"
            ours = [one["models"][OURS]["metrics"]["roc_auc"]["value"] for one in over_seeds]
            for name, model in first["models"].items():
                gain = first["roc_auc_gain"].get(name)
                lines.append(
                    Line(
                        group=group,
                        model=LABELS.get(name, name),
                        kind="ours" if name == OURS else "baseline",
                        figures={
                            key: Figure.model_validate(model["metrics"][key])
                            for key in METRICS
                            if key in model["metrics"]
                        },
                        gain=Figure.model_validate(gain) if gain else None,
                        spread=(min(ours), max(ours)) if name == OURS else None,
                        note=model["note"],
                    )
                )
            lines.append(
                Line(
                    group=group,
                    model="quick LightGBM, published",
                    kind="published",
                    figures={"roc_auc": Figure(value=published)},
                    note="other features and cutoffs, trained up to 2023-03",
                )
            )
    return lines


def targets_of(metrics: dict[str, Any]) -> list[TargetLine]:
    """Return what the threshold rules of one training come to on its test cutoffs."""
    return [
        line
        for head in HEADS
        for horizon in HORIZONS
        for line in target_lines(f"{head} {horizon[:-1]} days", metrics["heads"][head]["horizons"][horizon])
    ]


def measure(run: Run) -> Result:
    """Return the comparison."""
    started = time.monotonic()
    features = prepared(shared("churnsim_crm5"), run.work / "churnsim")
    seeds = SEEDS[: len(run.plan.seeds)]
    found = reports(features, seeds)
    facts = found[0]["data"]
    window = {name: facts[name]["cutoffs"] for name in ("train", "validation", "test")}
    return Result(
        name="churnsim",
        title="ChurnSim churn and upsell",
        data="Two years of a B2B CRM product, simulated by the authors of ChurnSim, not by us: "
        f"{facts['test']['accounts']:,} accounts at the test cutoffs.",
        split="By time: "
        + ", ".join(f"{name} cutoffs {days[0]} to {days[-1]}" for name, days in window.items())
        + ", labels as known when the next part begins; then fitted once more to all that was known before the test. "
        f"Seeds {', '.join(map(str, seeds))}; figures and intervals are those of seed {seeds[0]}.",
        interval="95 % intervals resample accounts.",
        metrics=dict(METRICS),
        lines=tuple(lines_of(found)),
        targets=tuple(targets_of(found[0])),
        plan=run.plan.name,
        made_on=run.today.isoformat(),
        seconds=round(time.monotonic() - started),
        versions=versions("lightgbm", "feast", "scikit-learn"),
    )


if __name__ == "__main__":
    request = asked("ChurnSim: churn and upsell by the product's own training")
    write(measure(request), request.out)
