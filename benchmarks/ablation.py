"""What each view of features is worth, on ChurnSim and on a synthetic world: left out, and alone.

`python -m benchmarks.ablation` imports or makes both, builds their features, trains every reduced model and writes
`benchmarks/results/ablation.md`. The synthetic world only says whether a view finds what was put there; whether it
helps anybody is for ChurnSim to say, which has usage and subscriptions alone.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from benchmarks.churnsim import TEST_FROM, Features, prepared
from benchmarks.plan import asked
from benchmarks.shared_data import ROOT, shared
from feature_repo.contract_compiler import compile_contract
from feature_repo.services import SERVICE_NAME
from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import open_store
from training.dataset import assemble, historical_features
from training.definitions import load_definitions
from training.evaluation.ablation import ablate, constant_features, markdown
from training.labels import read_labels
from training.splits import split_by_time
from training.train import usable_days

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.plan import Run

SYNTHETIC_ACCOUNTS: Final = 1_000
SYNTHETIC_DAYS: Final = 720
SYNTHETIC_SEED: Final = 11
HORIZON_DAYS: Final = 90


def synthetic(work: Path) -> Features:
    """Make a synthetic world below *work*, build and register its features; kept if it is there already.

    Raises:
        CalledProcessError: A command of the product failed.
    """
    features = Features(work / "raw", work / "features", work / "registry.db")
    world = [
        "--accounts",
        str(SYNTHETIC_ACCOUNTS),
        "--days",
        str(SYNTHETIC_DAYS),
        "--seed",
        str(SYNTHETIC_SEED),
    ]
    if not (features.raw / "dataset.yaml").exists():
        _keepgrow("synth", str(features.raw), *world, "--force")
    _keepgrow("features", "build", str(features.raw), str(features.folder))
    _keepgrow("apply", "--features", str(features.folder), "--registry", str(features.registry))
    return features


def section(title: str, features: Features, test_from: dt.date | None, run: Run) -> str:
    """Return the Markdown section of one data set."""
    shipped = load_definitions()
    rules = shipped.split.model_copy(update={"test_from": test_from}) if test_from else shipped.split
    definitions = shipped.model_copy(update={"split": rules})
    store = open_store(FeatureRepoSettings(features_dir=features.folder, registry=str(features.registry)))
    contract = compile_contract(store, SERVICE_NAME)
    split = split_by_time(*usable_days(features.raw), definitions)
    labels = read_labels(features.raw, split.cutoffs, definitions)
    rows = assemble(historical_features(store, labels, contract), labels, contract, split.train.cutoffs)
    constant = set(constant_features(rows))
    by_view = {
        view.name: tuple(
            feature.name
            for feature in contract.model_features
            if feature.view == view.name and feature.name not in constant
        )
        for view in contract.views
    }
    found = ablate(
        rows,
        split,
        definitions,
        groups={name: features for name, features in by_view.items() if features},
        seed=run.plan.seeds[0],
        samples=run.plan.samples,
        progress=lambda line: print(f"  {line}", flush=True),  # noqa: T201 - a script's progress
    )
    absent = ", ".join(name for name, features in by_view.items() if not features) or "none"
    return (
        f"### {title}\n\n"
        f"{len(rows.matrix):,} rows of {len(set(rows.labels.account_id.tolist())):,} accounts; test cutoffs "
        f"{split.test.cutoffs[0]} to {split.test.cutoffs[-1]}; {HORIZON_DAYS} days. "
        f"{len(contract.model_features) - len(constant)} of {len(contract.model_features)} model features vary in "
        f"this data (in brackets: how many of the view do); views without any: {absent}.\n\n"
        f"{markdown(found, HORIZON_DAYS)}"
    )


def measure(run: Run) -> str:
    """Return the whole page: both data sets, and how to read them."""
    began = time.monotonic()
    sections = [
        section("ChurnSim", prepared(shared("churnsim_crm5"), run.work / "churnsim"), TEST_FROM, run),
        section("Synthetic world (a simulation)", synthetic(run.work / "ablation"), None, run),
    ]
    return (
        "# Ablation by view\n\n"
        "Each model is trained as the whole one is, on the same rows, without the final fit on validation. Changes are "
        "reduced less whole, with 95 % intervals over resampled accounts, paired. *missed*: surely worse without; "
        "*better without*: surely better; *even*: no sure difference.\n\n"
        + "\n".join(sections)
        + f"\nMade on {run.today} by `python -m benchmarks.ablation` (plan {run.plan.name}, seed {run.plan.seeds[0]}) "
        f"in {time.monotonic() - began:.0f} s.\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write `ablation.md` into the results' folder, and print it."""
    run = asked("Ablation by view, on ChurnSim and on a synthetic world.", arguments)
    page = measure(run)
    run.out.mkdir(parents=True, exist_ok=True)
    (run.out / "ablation.md").write_text(page, encoding="utf-8")
    print(page)  # noqa: T201 - what the script is for
    return 0


def _keepgrow(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "keepgrow", *words], check=True, cwd=ROOT)  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
