"""What each view of features is worth, on ChurnSim and on a synthetic world: left out, and on ChurnSim alone too.

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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.plan import Run
    from training.evaluation.ablation import Ablation, Kind

SYNTHETIC_ACCOUNTS: Final = 2_000
SYNTHETIC_DAYS: Final = 540
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


def section(
    title: str, features: Features, test_from: dt.date | None, run: Run, kinds: Sequence[Kind]
) -> str:
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
        kinds=kinds,
        seed=run.plan.seeds[0],
        samples=run.plan.samples,
        progress=lambda line: print(f"  {line}", flush=True),  # noqa: T201 - a script's progress
    )
    absent = ", ".join(name for name, features in by_view.items() if not features) or "none"
    at_cutoffs = f"test cutoffs {split.test.cutoffs[0]} to {split.test.cutoffs[-1]}"
    return (
        f"### {title}\n\n"
        f"{len(rows.matrix):,} rows of {len(set(rows.labels.account_id.tolist())):,} accounts; {at_cutoffs}. "
        f"{len(contract.model_features) - len(constant)} of {len(contract.model_features)} model features vary in "
        f"this data (in brackets: how many of the view do); views without any: {absent}.\n\n"
        f"Change of ROC AUC when a view is left out:\n\n{left_out(found)}\n{sentences(found)}\n\n"
        f"{HORIZON_DAYS} days, with other metrics:\n\n{markdown(found, HORIZON_DAYS)}"
    )


def left_out(found: Sequence[Ablation]) -> str:
    """Return a Markdown table of the change of ROC AUC without each view, a column a head and horizon."""
    columns = list(dict.fromkeys((one.head, one.horizon_days) for one in found))
    lines = [
        "| without | " + " | ".join(f"{head} {days} days" for head, days in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for view in dict.fromkeys(one.group for one in found):
        here = {
            (one.head, one.horizon_days): one for one in found if one.group == view and one.kind == "without"
        }
        cells = []
        for column in columns:
            change = here[column].change["auc"]
            text = f"{change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
            cells.append(f"**{text}**" if change.high < 0 or change.low > 0 else text)
        lines.append(f"| {view} ({here[columns[0]].features}) | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def sentences(found: Sequence[Ablation]) -> str:
    """Return which views earn their place by being missed, by ROC AUC or log loss, where, and which do not."""
    without = [one for one in found if one.kind == "without"]

    def where(view: str, verdict: str) -> str:
        return ", ".join(
            f"{one.head} {one.horizon_days}"
            for one in without
            if one.group == view and one.verdict == verdict
        )

    said = []
    for view in dict.fromkeys(one.group for one in without):
        parts = [
            f"{verdict} ({found_at})"
            for verdict in ("missed", "better without", "mixed")
            if (found_at := where(view, verdict))
        ]
        said.append(f"{view}: {'; '.join(parts) or 'no sure difference anywhere'}")
    return ". ".join(said) + "."


def measure(run: Run) -> Iterator[str]:
    """Give the page with the first data set, then with both, so that an interrupted run leaves what it found."""
    began = time.monotonic()
    head = (
        "# Ablation by view\n\n"
        "Each model is trained as the whole one is, on the same rows, without the final fit on validation. Changes are "
        "reduced less whole, with 95 % intervals over resampled accounts, paired; bold where the interval leaves out "
        "zero. *missed*: surely worse without, by ROC AUC or log loss; *better without*: surely better; *even*: no "
        "sure difference.\n\n"
    )

    def page(sections: Sequence[str]) -> str:
        seconds = time.monotonic() - began
        return (
            head
            + "\n".join(sections)
            + f"\nMade on {run.today} by `python -m benchmarks.ablation` (plan {run.plan.name}, seed "
            f"{run.plan.seeds[0]}) in {seconds:.0f} s.\n"
        )

    churnsim = prepared(shared("churnsim_crm5"), run.work / "churnsim")
    first = section("ChurnSim", churnsim, TEST_FROM, run, ("without", "alone"))
    yield page([first])
    title = "Synthetic world (a simulation)"
    yield page([first, section(title, synthetic(run.work / "ablation"), None, run, ("without",))])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write `ablation.md` into the results' folder, and print it."""
    run = asked("Ablation by view, on ChurnSim and on a synthetic world.", arguments)
    run.out.mkdir(parents=True, exist_ok=True)
    page = ""
    for page in measure(run):
        (run.out / "ablation.md").write_text(page, encoding="utf-8")
    print(page)  # noqa: T201 - what the script is for
    return 0


def _keepgrow(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "keepgrow", *words], check=True, cwd=ROOT)  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
