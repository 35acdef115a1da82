"""Hillstrom's e-mail trial: our uplift learners beside those of causalml and EconML, same rows, same metrics.

64,000 customers, two e-mails and no e-mail by lot, a third each; outcomes are a visit and the money spent within two
weeks. Five seeds split the customers in halves; learners see one half, every figure is of the other. What is chosen
(our learner, the best single e-mail) is chosen on the training half.

    python -m benchmarks.hillstrom [--data DIR] [--out FILE] [--seeds 5]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from benchmarks import yardsticks
from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.evaluation.policy_value import (
    PolicyLog,
    best_single_arm,
    doubly_robust,
    greedy_policy,
    one_arm_for_everyone,
    random_policy,
    snips,
)
from training.evaluation.uplift_curves import UpliftRows, auuc, qini_coefficient
from training.heads.uplift.fitting import Draws, fit_heads
from training.heads.uplift.learners import EXPORTABLE, LEARNERS, LearnerName, learn
from training.heads.uplift.selection import choose_learner, split_later
from training.heads.uplift.settings import UpliftSettings
from training.heads.uplift.shrinkage import Prior
from training.treatments import LoggedTreatments, trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Figures: TypeAlias = dict[str, Estimate]

ACTIONS = ("Mens E-Mail", "Womens E-Mail")
OUTCOMES = ("visit", "spend")
SHIPPED = "ours, as shipped"
SINGLE = "best single e-mail for everyone"
SAMPLES = 50
SETTINGS = UpliftSettings(folds=3, bags=10)
_PRIOR_SD = {"visit": 0.5, "spend": 50.0}
_METRICS = ("qini", "auuc", "policy_dr", "policy_snips")


def load(folder: Path) -> tuple[NDArray[np.float64], LoggedTreatments, NDArray[np.object_]]:
    """Return features of shape (64000, 12), the trial, and customer ids.

    Raises:
        SystemExit: The file is not there.
    """
    path = folder / "hillstrom" / "hillstrom.csv.gz"
    if not path.is_file():
        sys.exit(
            f"{path} is not there; --data or KEEPGROW_SHARED_DATA names the folder of the shared data sets"
        )
    frame = pd.read_csv(path)
    numbers = frame[["recency", "history", "mens", "womens", "newbie"]].astype(float)
    dummies = pd.get_dummies(frame[["zip_code", "channel"]]).astype(float)
    bands = frame["history_segment"].str.extract(r"^(\d)", expand=False).astype(float)
    matrix = pd.concat([numbers, dummies, bands], axis=1).to_numpy(dtype=np.float64)
    arm = (
        frame["segment"]
        .map({"No E-Mail": 0, ACTIONS[0]: 1, ACTIONS[1]: 2})
        .to_numpy(dtype=np.int64)
        .astype(np.intp)
    )
    customers = np.array([f"c{number:05d}" for number in range(len(frame))], dtype=object)
    draws = trial(
        customers.tolist(),
        ACTIONS,
        arm,
        np.full((len(frame), 3), 1 / 3),
        {name: frame[name].to_numpy(dtype=np.float64) for name in OUTCOMES},
    )
    return matrix, draws, customers


def ours(
    train: Draws, asked: NDArray[np.float64], seed: int, settings: UpliftSettings
) -> dict[str, NDArray[np.float64]]:
    """Return the effects of each of our learners, and of the heads as they would ship, shape (m, 2) each."""
    found = {}
    for name in LEARNERS:
        columns = []
        for action in range(len(ACTIONS)):
            bags = learn(name, train.effect_rows(action)[0], settings, seed=seed + 1000 * action)
            columns.append(np.mean([bag.effect(asked) for bag in bags], axis=0))
        found[f"ours {name.upper()}"] = np.column_stack(columns)
    priors = {name: Prior(0.0, _PRIOR_SD[train.outcome]) for name in ACTIONS}
    chosen = chosen_learner(train, priors, seed, settings)
    fits = fit_heads(chosen, train, priors, settings=settings, seed=seed)
    found[SHIPPED] = np.column_stack([fit.head.effects(asked)[0] for fit in fits])
    return found


def chosen_learner(
    train: Draws, priors: dict[str, Prior], seed: int, settings: UpliftSettings
) -> LearnerName:
    """Return the learner that training would ship, compared on 30 % of the training customers."""
    split = split_later(train.treatments, 0.3, seed)
    early = Draws.cross_fitted(
        train.treatments.select(split.train), train.matrix[split.train], train.outcome, None,
        settings=settings, seed=seed,
    )  # fmt: skip
    later = early.later(
        train.treatments.select(split.held_out),
        train.matrix[split.held_out],
        None,
        settings=settings,
        seed=seed,
    )
    small = settings.with_bags(4)
    fits = {name: fit_heads(name, early, priors, settings=small, seed=seed) for name in EXPORTABLE}
    return choose_learner(fits, later, samples=20, seed=seed).learner


def figures(effects: NDArray[np.float64], test: Draws, bootstrap: AccountBootstrap) -> Figures:
    """Return Qini and AUUC, mean of both e-mails against none, and the value of the greedy policy."""
    parts = [UpliftRows.of(test.treatments, action, test.outcome) for action in range(len(ACTIONS))]

    def both(metric: object) -> Estimate:
        def mean(weight: NDArray[np.float64]) -> NDArray[np.float64]:
            values = [
                metric(rows, effects[positions, action], weight[:, positions])  # type: ignore[operator]
                for action, (rows, positions) in enumerate(parts)
            ]
            return np.asarray(np.mean(values, axis=0), dtype=np.float64)

        return bootstrap.estimate(mean)

    log, _ = PolicyLog.of(test.treatments, test.outcome)
    policy = greedy_policy(effects, log.propensities)
    return {"qini": both(qini_coefficient), "auuc": both(auuc)} | policy_figures(policy, log, test, bootstrap)


def policy_figures(
    policy: NDArray[np.float64], log: PolicyLog, test: Draws, bootstrap: AccountBootstrap
) -> Figures:
    """Return the value of *policy* per customer, doubly robust and self-normalised."""
    return {
        "policy_dr": bootstrap.estimate(lambda weight: doubly_robust(log, policy, test.expected[0], weight)),
        "policy_snips": bootstrap.estimate(lambda weight: snips(log, policy, weight)),
    }


def run_one(data: Path, seed: int, outcome: str) -> dict[str, Figures]:
    """Return the figures of every learner and baseline for one seed and outcome."""
    matrix, draws, customers = load(data)
    half = np.random.default_rng(seed).permutation(len(customers))
    first, second = np.sort(half[: len(half) // 2]), np.sort(half[len(half) // 2 :])
    train = Draws.cross_fitted(
        draws.select(first), matrix[first], outcome, None, settings=SETTINGS, seed=seed
    )
    test = train.later(draws.select(second), matrix[second], None, settings=SETTINGS, seed=seed)
    began = time.monotonic()
    found = ours(train, test.matrix, seed, SETTINGS)
    print(f"seed {seed} {outcome} ours: {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201 - a script
    drawn, outcomes = train.treatments.arm, train.treatments.outcomes[outcome]
    one = yardsticks.Trial(train.matrix, drawn, outcomes, test.matrix, len(ACTIONS), seed)
    for name, learner in yardsticks.available()[0].items():
        began = time.monotonic()
        found[name] = learner(one)
        print(f"seed {seed} {outcome} {name}: {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    bootstrap = AccountBootstrap(customers[second], samples=SAMPLES, seed=seed)
    results = {name: figures(effects, test, bootstrap) for name, effects in found.items()}
    log, _ = PolicyLog.of(test.treatments, outcome)
    best = best_single_arm(PolicyLog.of(train.treatments, outcome)[0])
    baselines = {
        SINGLE: one_arm_for_everyone(log.propensities, best),
        "random arm": random_policy(log.propensities),
        "no e-mail": one_arm_for_everyone(log.propensities, 0),
    }
    return results | {
        name: policy_figures(policy, log, test, bootstrap) for name, policy in baselines.items()
    }


def kept_or_run(data: Path, seed: int, outcome: str, keep: Path) -> dict[str, Figures]:
    """Return the figures of one seed and outcome; those of an earlier run in the folder *keep* are not made again."""
    path = keep / f"{outcome}-{seed}.json"
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {name: {key: Estimate(*one) for key, one in of.items()} for name, of in stored.items()}
    found = run_one(data, seed, outcome)
    plain = {
        name: {key: (one.value, one.low, one.high) for key, one in of.items()} for name, of in found.items()
    }
    keep.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain), encoding="utf-8")
    return found


def run(data: Path, seeds: int, jobs: int, keep: Path) -> dict[str, dict[str, list[Figures]]]:
    """Return per outcome and learner the figures of each seed."""
    results: dict[str, dict[str, list[Figures]]] = {name: defaultdict(list) for name in OUTCOMES}
    asked = [(seed, outcome) for seed in range(seeds) for outcome in OUTCOMES]
    with ProcessPoolExecutor(jobs) as pool:
        tasks = [pool.submit(kept_or_run, data, seed, outcome, keep) for seed, outcome in asked]
        for (_, outcome), task in zip(asked, tasks, strict=True):
            for name, values in task.result().items():
                results[outcome][name].append(values)
    return results


def markdown(results: dict[str, dict[str, list[Figures]]], notes: tuple[str, ...], date: str) -> str:
    """Return the section for the performance page."""
    seeds = len(next(iter(results["visit"].values())))
    preface = (
        f"`python -m benchmarks.hillstrom`, {date}; 64,000 customers, {seeds} seeds (0 to {seeds - 1}) of a 50/50 "
        f"split; ours with {SETTINGS.bags} bags; LightGBM {metadata.version('lightgbm')}; {'; '.join(notes)}.\n"
        "Mean over seeds ± standard deviation over seeds (test halves of different seeds overlap), then in brackets "
        f"the 95 % bootstrap interval over customers ({SAMPLES} resamples), ends averaged over seeds. Qini and AUUC "
        "are gains per customer, not divided by a perfect ranking's, mean of both e-mails against none; they can't be "
        "compared with other libraries' figures. Policy value is the mean outcome per customer if each gets the arm of "
        "the largest estimated effect (none if none is above zero)."
    )
    lines = ["## Uplift on Hillstrom", "", preface]
    for outcome in OUTCOMES:
        unit, scale = ("1,000 customers", 1000.0) if outcome == "visit" else ("100 customers, USD", 100.0)
        lines += [
            "",
            f"### {outcome} (per {unit})",
            "",
            "| learner | Qini | AUUC | policy value, doubly robust | policy value, SNIPS |",
            "|---|---|---|---|---|",
        ]
        table = results[outcome]
        ranked = sorted(table, key=lambda name: -_mean(table[name], "policy_dr"))
        for name in ranked:
            cells = [_cell(table[name], metric, scale) for metric in _METRICS]
            shown = f"**{name}**" if name == SHIPPED else name
            lines.append(f"| {shown} | {' | '.join(cells)} |")
        lines += ["", verdict(table, scale)]
    return "\n".join(lines) + "\n"


def verdict(table: dict[str, list[Figures]], scale: float) -> str:
    """Return how the shipped heads compare with the best yardstick, seed by seed."""
    others = [name for name in table if name.startswith(("causalml", "econml"))]
    if not others:
        return "No yardstick was installed."
    sentences = []
    for metric, words in (("qini", "Qini"), ("policy_dr", "policy value (doubly robust)")):
        best = max(others, key=lambda name: _mean(table[name], metric))
        gaps = np.array(
            [
                scale * (mine[metric].value - theirs[metric].value)
                for mine, theirs in zip(table[SHIPPED], table[best], strict=True)
            ]
        )
        spread = gaps.std(ddof=1) if len(gaps) > 1 else float("nan")
        sentences.append(
            f"{words}: best yardstick is {best}; ours as shipped less it {gaps.mean():+.2f} ± {spread:.2f}, "
            f"ahead in {int((gaps > 0).sum())} of {len(gaps)} seeds."
        )
    gap = scale * (_mean(table[SHIPPED], "policy_dr") - _mean(table[SINGLE], "policy_dr"))
    sentences.append(f"Against {SINGLE}: {gap:+.2f}.")
    return " ".join(sentences)


def _mean(found: list[Figures], metric: str) -> float:
    return float(np.mean([one[metric].value for one in found]))


def _cell(found: list[Figures], metric: str, scale: float) -> str:
    if metric not in found[0]:
        return "-"
    values = scale * np.array([one[metric].value for one in found])
    low, high = (
        scale * float(np.mean([getattr(one[metric], end) for one in found])) for end in ("low", "high")
    )
    spread = values.std(ddof=1) if len(values) > 1 else float("nan")
    return f"{values.mean():.2f} ± {spread:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Run the benchmark and write its section."""
    root = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = os.environ.get("KEEPGROW_SHARED_DATA") or root.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(shared), help="folder of the shared data sets")
    parser.add_argument("--out", type=Path, default=root / "results" / "hillstrom.md")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path("build/benchmarks/hillstrom"),
        help="figures of finished seeds, to go on from",
    )
    chosen = parser.parse_args()
    notes = yardsticks.available()[1]
    print("\n".join(notes), flush=True)  # noqa: T201 - a script
    results = run(chosen.data, chosen.seeds, chosen.jobs, chosen.keep)
    text = markdown(results, notes, dt.datetime.now(dt.UTC).date().isoformat())
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201 - a script


if __name__ == "__main__":
    main()
