"""Trains the uplift heads of each outcome as a stage of its own, side by side, and puts them together.

Outcomes don't know of one another: what comes out is what `train_effects` gives for each of them alone. Draws of
accounts that had left teach `returned`, all others `retained` and `expanded`.

LightGBM has one number of threads for a whole process, set anew by each call, and a data set being filled while another
call raises it writes past its buffers. Whatever of LightGBM runs side by side therefore says `num_threads=1`; what
doesn't, such as the predictions of other heads, is asked before.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from training.outlook_effects import train_effects
from training.outlook_values import EffectHeads, nearest_horizon

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.heads.train import TrainedHead
    from training.outlook_sources import OutlookSources
    from training.settings import TrainingSettings
    from training.uncertainty.fit import HalfHeads

Learnt: TypeAlias = tuple["EffectHeads | None", dict[str, Any]]


class Run(Protocol):
    """Runs a stage; see `training.stages.Stages.run`."""

    def __call__(self, name: str, make: Callable[[], Learnt]) -> Learnt:
        """Return what *make* returns, or what it returned before."""


def effects_by_outcome(
    churn: TrainedHead,
    halves: HalfHeads,
    sources: OutlookSources,
    *,
    run: Run,
    samples: int,
    seed: int,
    settings: TrainingSettings,
    progress: Callable[[str], None],
) -> Learnt:
    """Return uplift heads of all outcomes with enough known draws, or None, and what is told of them.

    Args:
        churn: Says how far away leaving is, where a prior is relative to it.
        halves: Heads that have not seen what came after an account's draws.
        sources: Draws with features, and priors.
        run: Runs each outcome as a stage.
        samples: Resamples behind intervals.
        seed: Seed of everything random.
        settings: How many bags.
        progress: Called with a sentence a step.
    """
    treatments, draws = sources.treatments, sources.draws
    leaving = np.empty(0)
    if treatments is not None and draws is not None:
        column = nearest_horizon(churn.head, treatments.outcome_days)
        leaving = halves.unseen(treatments.account_id, draws)[:, column]

    def learnt(some: OutlookSources, leaving: NDArray[np.float64]) -> Learnt:
        return train_effects(some, leaving, samples=samples, seed=seed, settings=settings, progress=progress)

    if treatments is None or draws is None or not treatments.outcomes:
        return learnt(sources, leaving)

    def one(outcome: str) -> Learnt:
        alone, rows = treatments.about(outcome)
        mine = replace(sources, treatments=alone, draws=draws[rows])
        return run(f"uplift, {outcome}", lambda: learnt(mine, leaving[rows]))

    with ThreadPoolExecutor(max_workers=len(treatments.outcomes)) as pool:
        every = list(pool.map(one, treatments.outcomes))
    found = [(heads, told) for heads, told in every if heads is not None]
    if not found:
        return every[0]
    report = dict(found[0][1]) | {
        "draws": len(treatments),
        "accounts": len(set(treatments.account_id.tolist())),
    }
    report["outcomes"] = {name: told for _, one in found for name, told in one["outcomes"].items()}
    lacking = {
        name: told["left_out"]
        for name, (heads, told) in zip(treatments.outcomes, every, strict=True)
        if heads is None
    }
    if lacking:
        report["left_out_outcomes"] = lacking
    together = EffectHeads(
        heads=tuple(head for heads, _ in found for head in heads.heads),
        draws=tuple(count for heads, _ in found for count in heads.draws),
        learnt=tuple(flag for heads, _ in found for flag in heads.learnt),
        window_days=found[0][0].window_days,
        held_out=tuple(one for heads, _ in found for one in heads.held_out),
    )
    return together, report
