"""Hillstrom's e-mail trial: our uplift learners beside those of causalml and EconML, same rows, same metrics.

Five seeds split the customers in halves; learners see one half, every figure is of the other. What is chosen (our
learner and how far it is believed, the best single e-mail) is chosen on the training half. Intervals resample all
customers at once, the same resamples for every learner and seed, so that differences and means over seeds have
intervals of their own although the halves of different seeds overlap.

    python -m benchmarks.hillstrom [--data DIR] [--out FILE] [--seeds 5] [--first-seed 0]
"""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from benchmarks import script, yardsticks
from benchmarks.hillstrom_page import SEEDS, SINGLE, markdown
from benchmarks.hillstrom_trial import ACTIONS, OUTCOMES, SETTINGS, SHIPPED, load, not_shrunk, shipped
from benchmarks.shared_data import ROOT, folder
from training.evaluation.bootstrap import AccountBootstrap
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
from training.heads.uplift.draws import Draws

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.hillstrom_page import Figures

    Metric: TypeAlias = Callable[[UpliftRows, NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]

SAMPLES: Final = 100
RESAMPLING_SEED: Final = 2026


def ranking_values(effects: NDArray[np.float64], test: Draws, bootstrap: AccountBootstrap) -> Figures:
    """Return Qini and AUUC, mean of both e-mails against none: on the rows as they are, then on each resample."""
    parts = [UpliftRows.of(test.treatments, action, test.outcome) for action in range(len(ACTIONS))]

    def both(metric: Metric) -> list[float]:
        def mean(weight: NDArray[np.float64]) -> NDArray[np.float64]:
            values = [
                metric(rows, effects[positions, action], weight[:, positions])
                for action, (rows, positions) in enumerate(parts)
            ]
            return np.asarray(np.mean(values, axis=0), dtype=np.float64)

        return _values(bootstrap, mean, len(effects))

    return {"qini": both(qini_coefficient), "auuc": both(auuc)}


def policy_values(policy: NDArray[np.float64], test: Draws, bootstrap: AccountBootstrap) -> Figures:
    """Return the value of *policy* per customer, doubly robust and self-normalised: as it is, then on each resample."""
    log, _ = PolicyLog.of(test.treatments, test.outcome)
    rows = len(policy)
    return {
        "policy_dr": _values(
            bootstrap, lambda weight: doubly_robust(log, policy, test.expected[0], weight), rows
        ),
        "policy_snips": _values(bootstrap, lambda weight: snips(log, policy, weight), rows),
    }


def run_one(data: Path, seed: int, outcome: str) -> dict[str, Figures]:
    """Return the figures of every learner and baseline for one seed and outcome."""
    matrix, draws, customers = load(data)
    half = np.random.default_rng(seed).permutation(len(customers))
    first, second = np.sort(half[: len(half) // 2]), np.sort(half[len(half) // 2 :])
    began = time.monotonic()
    learnt, asked = draws.select(first), matrix[second]
    found: dict[str, NDArray[np.float64]] = {}
    found[SHIPPED], chosen = shipped(learnt, matrix[first], outcome, asked, seed)
    print(f"seed {seed} {outcome} {SHIPPED} ({chosen}): {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201 - a script
    train = Draws.cross_fitted(learnt, matrix[first], outcome, None, settings=SETTINGS, seed=seed)
    test = train.later(draws.select(second), asked, None, settings=SETTINGS, seed=seed)
    found |= not_shrunk(train, asked, seed)
    one = yardsticks.Trial(
        train.matrix, train.treatments.arm, train.treatments.outcomes[outcome], asked, len(ACTIONS), seed
    )
    for name, learner in yardsticks.available()[0].items():
        began = time.monotonic()
        found[name] = yardsticks.estimated(learner, one)
        print(f"seed {seed} {outcome} {name}: {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    everyone = AccountBootstrap(customers, samples=SAMPLES, seed=RESAMPLING_SEED)
    tested = np.zeros(len(customers), dtype=np.bool_)
    tested[second] = True
    bootstrap = everyone.only(tested)
    log, _ = PolicyLog.of(test.treatments, outcome)
    baselines = {
        SINGLE: one_arm_for_everyone(
            log.propensities, best_single_arm(PolicyLog.of(train.treatments, outcome)[0])
        ),
        "random arm": random_policy(log.propensities),
        "no e-mail": one_arm_for_everyone(log.propensities, 0),
    }
    results = {
        name: ranking_values(effects, test, bootstrap)
        | policy_values(greedy_policy(effects, log.propensities), test, bootstrap)
        for name, effects in found.items()
    }
    print(f"seed {seed} {outcome}: judged", flush=True)  # noqa: T201
    return results | {name: policy_values(policy, test, bootstrap) for name, policy in baselines.items()}


def kept_or_run(data: Path, seed: int, outcome: str, keep: Path) -> dict[str, Figures]:
    """Return the figures of one seed and outcome; those of an earlier run in the folder *keep* are not made again."""
    path = keep / f"{outcome}-{seed}.json"
    if path.is_file():
        stored: dict[str, Figures] = json.loads(path.read_text(encoding="utf-8"))
        return stored
    found = run_one(data, seed, outcome)
    keep.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    return found


def fingerprint() -> str:
    """Return what changes with the code that makes figures, so that none of other code is taken for finished."""
    parts = [
        *(ROOT / "training" / "heads" / "uplift").glob("*.py"),
        *(ROOT / "training" / "evaluation").glob("*.py"),
    ]
    parts += [ROOT / "benchmarks" / f"{name}.py" for name in ("hillstrom", "hillstrom_trial", "yardsticks")]
    told = hashlib.sha256("".join(yardsticks.available()[1]).encode())
    for path in sorted(parts):
        told.update(path.read_bytes())
    return told.hexdigest()[:12]


def run(data: Path, seeds: Sequence[int], jobs: int, keep: Path) -> dict[str, dict[str, list[Figures]]]:
    """Return per outcome and learner the figures of each seed, made by *jobs* processes."""
    results: dict[str, dict[str, list[Figures]]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        tasks = {
            outcome: [pool.submit(kept_or_run, data, seed, outcome, keep) for seed in seeds]
            for outcome in OUTCOMES
        }
        for outcome, asked in tasks.items():
            found = [task.result() for task in asked]
            results[outcome] = {name: [one[name] for one in found] for name in found[0]}
    return results


def _values(
    bootstrap: AccountBootstrap,
    figure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    rows: int,
) -> list[float]:
    as_they_are = figure(np.ones((1, rows)))[:1]
    return [round(float(value), 8) for value in np.append(as_they_are, bootstrap.draws(figure))]


def main() -> None:
    """Run the benchmark and write its section."""
    parser = script.arguments(__doc__, "hillstrom.md")
    parser.add_argument("--data", type=Path, default=folder(), help="folder of the shared data sets")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path("build/benchmarks/hillstrom"),
        help="figures of finished seeds, to go on from; those of other code are not taken",
    )
    chosen = parser.parse_args()
    notes = yardsticks.available()[1]
    script.say(notes)
    results = run(
        chosen.data,
        range(chosen.first_seed, chosen.first_seed + chosen.seeds),
        chosen.jobs,
        chosen.keep / fingerprint(),
    )
    text = markdown(
        results,
        (f"ours with {SETTINGS.bags} bags", *notes),
        SAMPLES,
        script.today(),
        first=chosen.first_seed,
    )
    script.write(chosen.out, text)


if __name__ == "__main__":
    main()
