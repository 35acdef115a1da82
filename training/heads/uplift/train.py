"""Trains the uplift heads of every action and outcome: learners compared on later draws, the better one shipped."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.uplift_report import head_figures, policy_figures
from training.heads.uplift.fitting import Draws, Fit, fit_heads
from training.heads.uplift.head import UpliftHead
from training.heads.uplift.learners import EXPORTABLE, LearnerName
from training.heads.uplift.selection import choose_learner, split_later
from training.heads.uplift.settings import UpliftSettings
from training.heads.uplift.shrinkage import SCEPTICAL, Prior
from training.treatments import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from training.treatments import LoggedTreatments

MIN_TRAIN_DRAWS = 400
"""With fewer draws before the held-out ones, learners can't be compared; averages are still measured."""


def _silent(_: str) -> None:
    return


def train_uplift(
    treatments: LoggedTreatments,
    matrix: NDArray[np.float64],
    *,
    priors: Mapping[tuple[str, str], Prior],
    churn_probability: NDArray[np.float64] | None = None,
    outcomes: Sequence[str] = OUTCOMES,
    learners: Sequence[LearnerName] = EXPORTABLE,
    held_out_share: float = 0.3,
    samples: int = 300,
    settings: UpliftSettings | None = None,
    seed: int = 7,
    progress: Callable[[str], None] = _silent,
) -> tuple[tuple[UpliftHead, ...], dict[str, Any]]:
    """Train one head an action and outcome, and say how good they are on later draws.

    Learners are fitted to the earlier draws and compared on the later ones; all figures of the report are of those
    heads. The heads that are returned are then fitted to all draws by the chosen learner.

    Args:
        treatments: n draws, from `training.treatments.read_treatments`.
        matrix: Shape (n, f), model features as of each draw.
        priors: Declared effects by (action, outcome). An action that was never drawn gets a head of its prior alone;
            one without a prior gets `SCEPTICAL`.
        churn_probability: Shape (n,), probability of churn within the outcome window, by a model that did not see what
            came after the draw; needed if a prior is relative to churn.
        outcomes: Which outcomes.
        learners: Which learners to compare.
        held_out_share: Share of the latest draws that learners are compared on.
        samples: Resamples behind intervals.
        settings: Sizes; the defaults if None.
        seed: Seed of everything random.
        progress: Called with a sentence a step.

    Returns:
        The heads, outcome by outcome, actions in the order of their names; and a JSON-able report.
    """
    sizes = settings or UpliftSettings()
    heads: list[UpliftHead] = []
    report: dict[str, Any] = {
        "draws": len(treatments),
        "accounts": len(set(treatments.account_id.tolist())),
        "outcome_days": treatments.outcome_days,
        "settings": asdict(sizes),
        "outcomes": {},
    }
    for outcome in outcomes:
        believed = {name: priors.get((name, outcome), SCEPTICAL) for name in treatments.actions}
        fits: tuple[Fit, ...] = ()
        found: dict[str, Any] = {"actions": {}}
        if len(treatments):
            judged, learner = _judge(
                treatments, matrix, outcome, believed, churn_probability, learners,
                share=held_out_share, samples=samples, settings=sizes.for_judging(), seed=seed, progress=progress,
            )  # fmt: skip
            found |= judged
            draws = Draws.cross_fitted(
                treatments, matrix, outcome, churn_probability, settings=sizes, seed=seed
            )
            fits = fit_heads(learner, draws, believed, settings=sizes, seed=seed)
        for fit in fits:
            found["actions"].setdefault(fit.head.action, {})["shipped"] = fit.facts()
        new = {
            name: UpliftHead.from_prior(name, outcome, prior)
            for (name, of), prior in priors.items()
            if of == outcome and name not in believed
        }
        for name, head in new.items():
            found["actions"][name] = {"shipped": Fit(head, 0, 0, None, 0.0, None).facts()}
        together = {fit.head.action: fit.head for fit in fits} | new
        heads += [together[name] for name in sorted(together)]
        report["outcomes"][outcome] = found
        progress(
            f"uplift, {outcome}: {len(fits)} actions from draws, {len(new)} from their priors alone, "
            f"{sum(1 for fit in fits if fit.head.bags)} tell accounts apart"
        )
    return tuple(heads), report


def _judge(
    treatments: LoggedTreatments,
    matrix: NDArray[np.float64],
    outcome: str,
    priors: Mapping[str, Prior],
    churn: NDArray[np.float64] | None,
    learners: Sequence[LearnerName],
    *,
    share: float,
    samples: int,
    settings: UpliftSettings,
    seed: int,
    progress: Callable[[str], None],
) -> tuple[dict[str, Any], LearnerName]:
    """Compare learners on later draws; return the report of it and the learner to ship."""
    split = split_later(treatments, share, seed)
    facts: dict[str, Any] = {
        "split": {
            "by": split.by,
            "train_draws": int(split.train.sum()),
            "held_out_draws": int(split.held_out.sum()),
            "held_out_from": str(treatments.treated_at[split.held_out].min().astype("datetime64[s]")),
        }
    }
    if split.train.sum() < MIN_TRAIN_DRAWS:
        reason = f"fewer than {MIN_TRAIN_DRAWS} draws were known when the held-out ones began"
        return facts | {"choice": {"learner": learners[0], "decided": False, "reason": reason}}, learners[0]
    train = Draws.cross_fitted(
        treatments.select(split.train), matrix[split.train], outcome, _of(churn, split.train),
        settings=settings, seed=seed,
    )  # fmt: skip
    later = train.later(
        treatments.select(split.held_out), matrix[split.held_out], _of(churn, split.held_out),
        settings=settings, seed=seed,
    )  # fmt: skip
    fits = {}
    for name in learners:
        progress(f"uplift, {outcome}: learner {name} on {len(train.treatments)} draws")
        fits[name] = fit_heads(name, train, priors, settings=settings, seed=seed)
    choice = choose_learner(fits, later, samples=samples, seed=seed)
    chosen = fits[choice.learner]
    facts["choice"] = choice.as_dict()
    facts["actions"] = {
        fit.head.action: {
            "judged": fit.facts(),
            "held_out": head_figures(fit.head, later, action, samples=samples, seed=seed),
        }
        for action, fit in enumerate(chosen)
    }
    effects = np.column_stack([fit.head.effects(later.matrix, later.churn_probability)[0] for fit in chosen])
    facts["policy"] = policy_figures(effects, train, later, samples=samples, seed=seed)
    return facts, choice.learner


def _of(values: NDArray[np.float64] | None, rows: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    return None if values is None else values[rows]
