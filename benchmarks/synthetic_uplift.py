"""Uplift on a synthetic world, against its truth: a simulation that knows what every action would have done.

Heads are those that `train_uplift` makes of the earlier draws, whose learner is chosen among these alone. For every
later draw the world is taken up again from the account's full state and played forward under doing nothing and under
each of the five actions, so that the true effect of all actions is known there, not only of the one that was drawn.
Nothing here says anything about real customers.

    python -m benchmarks.synthetic_uplift DATA [--out FILE] [--paths 32]

DATA is a folder made by `keepgrow synth` whose features are built (`KEEPGROW_FEATURES_DIR`, `KEEPGROW_REGISTRY`).
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr

from benchmarks.synthetic_estimates import SEED, Estimates, estimates, policies
from benchmarks.synthetic_truth import Truth, treatment_truth
from feature_repo.contract_compiler import compile_contract
from feature_repo.services import SERVICE_NAME
from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import open_store
from feature_repo.tables.dataset import load_dataset_info
from training.encoding import encode, learn_encodings
from training.evaluation.bootstrap import AccountBootstrap
from training.heads.uplift.draws import Draws
from training.heads.uplift.selection import split_later
from training.heads.uplift.settings import UpliftSettings
from training.synthetic.settings import WorldSettings
from training.treatments import OUTCOMES, historical_treatment_features, read_treatments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.treatments import LoggedTreatments

Z_90 = 1.6448536269514722


def world_of(folder: Path) -> WorldSettings:
    """Return the settings that made the world of *folder*, from its name and last day.

    Raises:
        SystemExit: It was not made by `keepgrow synth`.
    """
    info = load_dataset_info(folder)
    match = re.fullmatch(r"synthetic-(\d+)x(\d+)-seed(\d+)", info.name)
    if not info.synthetic or match is None or info.end_day is None:
        sys.exit(f"{folder} was not made by `keepgrow synth`: only a simulation knows the truth")
    accounts, days, seed = map(int, match.groups())
    return WorldSettings(accounts=accounts, days=days, seed=seed, end=info.end_day)


def features(treatments: LoggedTreatments) -> NDArray[np.float64]:
    """Return the features of every draw, shape (n, f), from the offline store of the settings."""
    store = open_store(FeatureRepoSettings())
    contract = compile_contract(store, SERVICE_NAME)
    frame = historical_treatment_features(store, treatments, contract)
    everyone = np.ones(len(frame), dtype=np.bool_)
    return encode(frame, contract.model_features, learn_encodings(frame, contract.model_features, everyone))


def section(
    outcome: str, train: Draws, later: Draws, truth: NDArray[np.float64], settings: UpliftSettings
) -> list[str]:
    """Return the lines of one outcome."""
    found, chosen = estimates(train, later, settings)
    actions = train.treatments.actions
    title = (
        f"### {outcome}: learner chosen `{chosen}`, {len(train.treatments):,} draws to learn from, "
        f"{len(later.treatments):,} later ones"
    )
    what = "Rank correlation (Spearman) of estimated with true effect over the later draws (nan: one value for all):"
    lines = ["", title, "", what, "", f"| | {' | '.join(actions)} |", f"|---|{'---|' * len(actions)}"]
    for name, one in found.items():
        cells = [_rank(one.effect[:, k], truth[:, k]) for k in range(len(actions))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    shipped = found["as shipped"]
    rows = (
        ("true effect, mean ± sd, points", [f"{100 * t.mean():.2f} ± {100 * t.std():.2f}" for t in truth.T]),
        (
            "as shipped, mean ± sd, points",
            [f"{100 * e.mean():.2f} ± {100 * e.std():.2f}" for e in shipped.effect.T],
        ),
        ("true effect within the 90 % interval", [_covered(shipped, truth, k) for k in range(len(actions))]),
    )
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    lines += [
        "",
        "| policy | true gain, points an account | regret, points | share of the oracle's gain |",
        "|---|---|---|---|",
    ]
    gains = policies(found, train, later, truth)
    best = float(gains["oracle that knows the truth"].mean())
    for name, gain in sorted(gains.items(), key=lambda item: -item[1].mean()):
        low, high = _interval(gain, later.treatments.account_id)
        lines.append(
            f"| {name} | {100 * gain.mean():.2f} ({100 * low:.2f} to {100 * high:.2f}) | "
            f"{100 * (best - gain.mean()):.2f} | {gain.mean() / best:.0%} |"
        )
    return lines


def _rank(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> str:
    if np.ptp(estimate) < 1e-12:  # noqa: PLR2004 one value, up to rounding
        return "nan"
    return f"{spearmanr(estimate, truth).statistic:.2f}"


def _covered(one: Estimates, truth: NDArray[np.float64], action: int) -> str:
    inside = np.abs(one.effect[:, action] - truth[:, action]) <= Z_90 * one.standard_error[:, action]
    return f"{inside.mean():.0%}"


def _interval(gain: NDArray[np.float64], account_id: NDArray[np.object_]) -> tuple[float, float]:
    """Return the 95 % interval of the mean gain, accounts resampled."""
    bootstrap = AccountBootstrap(account_id, samples=300, seed=SEED)
    found = bootstrap.estimate(lambda weight: (weight @ gain) / weight.sum(axis=1))
    return found.low, found.high


def main() -> None:
    """Run the benchmark and write its section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?", help="folder made by `keepgrow synth`, features built")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "synthetic-uplift.md")
    parser.add_argument("--paths", type=int, default=32, help="simulated futures a draw and action")
    parser.add_argument("--quick", action="store_true", help="fewer futures")
    chosen = parser.parse_args()
    if chosen.data is None:
        print("No synthetic world was given: name a folder made by `keepgrow synth`")  # noqa: T201 - a script
        return
    paths = 8 if chosen.quick else chosen.paths
    world, read = world_of(chosen.data), read_treatments(chosen.data)
    if read is None:
        sys.exit(f"{chosen.data} has no treatments")
    treatments, _ = read
    matrix = features(treatments)
    split = split_later(treatments, 0.3, SEED)
    settings = UpliftSettings()
    begin = treatments.treated_at[split.held_out].min()
    known: Truth = treatment_truth(world, begin, paths=paths)
    preface = (
        f"`python -m benchmarks.synthetic_uplift DATA`, {dt.datetime.now(dt.UTC).date()}; **a simulation**, "
        f"{world.accounts:,} accounts, {world.days} days, seed {world.seed}; effects within {treatments.outcome_days} "
        f"days by {paths} futures an action from the account's full state. Draws from "
        f"{begin.astype('datetime64[D]')} on are judged; those learnt from had their outcomes by then. Effects in "
        "percentage points; 95 % intervals over accounts."
    )
    lines = ["## Uplift on a synthetic world, against its truth", "", preface]
    for outcome in OUTCOMES:
        train = Draws.cross_fitted(
            treatments.select(split.train), matrix[split.train], outcome, None, settings=settings, seed=SEED
        )
        later = train.later(
            treatments.select(split.held_out), matrix[split.held_out], None, settings=settings, seed=SEED
        )
        truth = known.effects(outcome, later.treatments, treatments.actions)
        lines += section(outcome, train, later, truth, settings)
        print(f"{outcome} done", flush=True)  # noqa: T201 - a script
    text = "\n".join(lines) + "\n"
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201 - a script


if __name__ == "__main__":
    main()
