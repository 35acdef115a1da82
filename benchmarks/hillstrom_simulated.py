"""Hillstrom's customers with planted effects: how close each learner comes to a truth that is known.

The trial itself tells what a policy is worth to two or three visits in 1,000 customers, and learners differ by less. So
effects on visits are planted into its customers and outcomes are drawn anew: the features and the rates are
Hillstrom's, the visits are simulated. Effects are of five shapes, each fitted to one half of the real trial by a model
that no learner here uses as it is, and as strong as they proved on customers that the model had not seen. Learners see
that half with simulated visits; they are judged by the true effects of the other half, without any noise of outcomes.

    python -m benchmarks.hillstrom_simulated [--data DIR] [--out FILE] [--trials 6]
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks import script, yardsticks
from benchmarks.hillstrom_planted import SHAPES, planted
from benchmarks.hillstrom_simulated_page import TRUTH, Judged, markdown
from benchmarks.hillstrom_trial import ACTIONS, SHIPPED, load, shipped
from benchmarks.shared_data import folder
from training.treatments import trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HALVES_SEED: Final = 100
PER: Final = 1000.0
"""Customers that figures are told for."""


def ranking(truth: NDArray[np.float64], effects: NDArray[np.float64]) -> float:
    """Return the area between the curve of true gain by *effects* and the straight line to its end, mean of actions.

    Args:
        truth: Shape (n, K), true effects.
        effects: Shape (n, K), by which customers are ordered, action by action.

    Returns:
        In units of the outcome a customer: the Qini coefficient that infinitely many outcomes would give.
    """
    areas = []
    for true, told in zip(truth.T, effects.T, strict=True):
        gained = np.cumsum(true[np.argsort(-told, kind="stable")]) / len(true)
        areas.append(gained.mean() - gained[-1] * (len(true) + 1) / (2 * len(true)))
    return float(np.mean(areas))


def policy_gain(truth: NDArray[np.float64], effects: NDArray[np.float64]) -> float:
    """Return the true worth of giving each the largest of *effects*, or nothing, less that of one action for all."""
    nothing = np.zeros((len(truth), 1))
    chosen = np.hstack([nothing, effects]).argmax(axis=1)
    worth = np.hstack([nothing, truth])[np.arange(len(truth)), chosen]
    return float(worth.mean() - max(0.0, truth.mean(axis=0).max()))


def run_one(data: Path, shape: str, number: int) -> list[Judged]:
    """Return how every learner did in simulated trial *number* with effects of *shape*."""
    matrix, draws, customers = load(data)
    half = np.random.default_rng(HALVES_SEED).permutation(len(customers))
    first, second = np.sort(half[: len(half) // 2]), np.sort(half[len(half) // 2 :])
    known = draws.select(first)
    world = planted(matrix[first], known.arm, known.outcomes["visit"], matrix, shape)
    generator = np.random.default_rng(number)
    arm = generator.integers(0, len(ACTIONS) + 1, len(first)).astype(np.intp)
    chance = world.chance(first, arm)
    visit = (generator.random(len(first)) < chance).astype(np.float64)
    learnt = trial(customers[first].tolist(), ACTIONS, arm, np.full((len(first), 3), 1 / 3), {"visit": visit})
    found = {SHIPPED: shipped(learnt, matrix[first], "visit", matrix[second], number)[0]}
    one = yardsticks.Trial(matrix[first], arm, visit, matrix[second], len(ACTIONS), number)
    for name, learner in yardsticks.available()[0].items():
        found[name] = yardsticks.estimated(learner, one)
    truth = world.effects[second]
    found[TRUTH] = truth
    print(f"{shape} {number}: judged", flush=True)  # noqa: T201 - a script
    return [
        Judged(
            shape,
            number,
            name,
            {
                "ranking": PER * ranking(truth, effects),
                "policy": PER * policy_gain(truth, effects),
                "error": PER * float(np.sqrt(np.mean((effects - truth) ** 2))),
            },
        )
        for name, effects in found.items()
    ]


def run(data: Path, shapes: Sequence[str], trials: int, jobs: int) -> list[Judged]:
    """Return what *trials* simulated trials of each shape said of every learner."""
    with ProcessPoolExecutor(jobs) as pool:
        tasks = [pool.submit(run_one, data, shape, number) for shape in shapes for number in range(trials)]
        return [one for task in tasks for one in task.result()]


def main() -> None:
    """Run the benchmark and write its section."""
    parser = script.arguments(__doc__, "synthetic-hillstrom.md")
    parser.add_argument("--data", type=Path, default=folder(), help="folder of the shared data sets")
    parser.add_argument("--trials", type=int, default=6, help="simulated trials of each shape")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    chosen = parser.parse_args()
    judged = run(chosen.data, tuple(SHAPES), chosen.trials, chosen.jobs)
    text = markdown(judged, yardsticks.available()[1], script.today())
    script.write(chosen.out, text)


if __name__ == "__main__":
    main()
