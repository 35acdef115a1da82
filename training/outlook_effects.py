"""Trains the uplift heads of a bundle from logged draws, within the time that a training may take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.bundle.manifest import is_learnt
from training.heads.uplift.settings import UpliftSettings
from training.heads.uplift.train import train_uplift
from training.outlook_values import EffectHeads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from training.evaluation.held_out_draws import HeldOutDraws
    from training.heads.uplift.head import UpliftHead
    from training.heads.uplift.learners import LearnerName
    from training.heads.uplift.shrinkage import Prior
    from training.outlook_sources import OutlookSources
    from training.settings import TrainingSettings
    from training.treatments import LoggedTreatments

SETTINGS = UpliftSettings()
"""Sizes that ship; only the number of bags is the configuration's (`KEEPGROW_TRAINING_UPLIFT_BAGS`)."""
MIN_DRAWS = 100
"""With fewer draws of known outcome not even an average is worth a head; the catalogue's priors serve as they are."""
COMPARED: tuple[LearnerName, ...] = ("s", "dr", "t")
"""Learners that are compared on folds of the earlier draws; X is left out, being close to the doubly robust one."""


def train_effects(
    sources: OutlookSources,
    churn_probability: NDArray[np.float64],
    *,
    samples: int,
    seed: int,
    settings: TrainingSettings,
    progress: Callable[[str], None],
) -> tuple[EffectHeads | None, dict[str, Any]]:
    """Return uplift heads of all outcomes with known draws, or None, and what is told of them.

    Args:
        sources: Draws with features, and priors.
        churn_probability: Shape (n,), for each of the n draws, if there are any; see `learn_effects`.
        samples: Resamples behind intervals.
        seed: Seed of everything random.
        settings: How many bags.
        progress: Called with a sentence a step.
    """
    treatments, draws = sources.treatments, sources.draws
    if treatments is None or draws is None:
        why = sources.absent.get("treatments", "No draw in `treatments` has a known outcome.")
        return None, sources.facts | {"left_out": f"{why} Declared priors serve as they are."}
    known = [
        outcome for outcome, values in treatments.outcomes.items() if np.isfinite(values).sum() >= MIN_DRAWS
    ]
    if not known:
        return None, sources.facts | {
            "left_out": f"Of {len(treatments)} draws in `treatments` too few have a known outcome; {MIN_DRAWS} are "
            "needed. Declared priors serve as they are."
        }
    held_out: dict[str, HeldOutDraws] = {}

    def keep(one: HeldOutDraws) -> None:
        held_out[one.outcome] = one

    heads, report = learn_effects(
        treatments,
        draws,
        churn_probability,
        outcomes=known,
        priors=sources.priors,
        settings=SETTINGS.with_bags(settings.uplift_bags),
        samples=samples,
        seed=seed,
        progress=progress,
        keep=keep,
    )
    shipped = [report["outcomes"][head.outcome]["actions"][head.action]["shipped"] for head in heads]
    effects = EffectHeads(
        heads=heads,
        draws=tuple(facts["draws"] for facts in shipped),
        learnt=tuple(is_learnt(facts) for facts in shipped),
        window_days=treatments.outcome_days,
        held_out=tuple(held_out[outcome] for outcome in known if outcome in held_out),
    )
    return effects, sources.facts | report


def learn_effects(
    treatments: LoggedTreatments,
    draws: NDArray[np.float64],
    churn_probability: NDArray[np.float64],
    *,
    outcomes: Sequence[str],
    priors: Mapping[tuple[str, str], Prior],
    settings: UpliftSettings = SETTINGS,
    samples: int,
    seed: int,
    progress: Callable[[str], None],
    keep: Callable[[HeldOutDraws], None] | None = None,
) -> tuple[tuple[UpliftHead, ...], dict[str, Any]]:
    """Return the uplift heads that ship, and what is told of them; benchmarks ask for the same.

    Outcomes are trained side by side, each on one thread; what comes out does not depend on that.

    Args:
        treatments: n draws.
        draws: Shape (n, f), features as of each.
        churn_probability: Shape (n,), within the outcome window, by a model that did not see what came after.
        outcomes: Which outcomes.
        priors: Declared effects by (action, outcome); those of actions without draws are left out.
        settings: Sizes.
        samples: Resamples behind intervals.
        seed: Seed of everything random.
        progress: Called with a sentence a step.
        keep: Called with the draws that each outcome's heads were judged on, by several threads.
    """
    drawn = {key: prior for key, prior in priors.items() if key[0] in treatments.actions}

    def one(outcome: str) -> tuple[tuple[UpliftHead, ...], dict[str, Any]]:
        return train_uplift(
            treatments, draws, priors=drawn, churn_probability=churn_probability, outcomes=[outcome],
            learners=COMPARED, samples=samples, settings=settings, seed=seed, progress=progress, keep=keep,
        )  # fmt: skip

    with ThreadPoolExecutor(max_workers=len(outcomes)) as pool:
        found = list(pool.map(one, outcomes))
    report = dict(found[0][1])
    report["outcomes"] = {name: told for _, one in found for name, told in one["outcomes"].items()}
    return tuple(head for heads, _ in found for head in heads), report
