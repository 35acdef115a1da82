"""Trains the uplift heads of every action and outcome: a learner chosen on earlier draws, judged on later ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.held_out_draws import HeldOutDraws
from training.evaluation.uplift_report import head_figures, policy_figures, pooled_calibration
from training.heads.uplift.draws import Draws
from training.heads.uplift.fit import Fit
from training.heads.uplift.fitting import fit_heads
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
FEW_JUDGED = 500
"""With fewer later draws of an action the report says that its figures are rough."""


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
    keep: Callable[[HeldOutDraws], None] | None = None,
) -> tuple[tuple[UpliftHead, ...], dict[str, Any]]:
    """Train one head an action and outcome, and say how good they are on later draws.

    Learners are compared on folds of the earlier draws, and the chosen one is fitted to all of these. The later draws
    have no say in that; all figures of the report are of those heads on them. The heads that are returned are then
    fitted to all draws by the chosen learner.

    Args:
        treatments: n draws, from `training.treatments.read_treatments`.
        matrix: Shape (n, f), model features as of each draw.
        priors: Declared effects by (action, outcome). An action that was never drawn gets a head of its prior alone;
            one without a prior gets `SCEPTICAL`.
        churn_probability: Shape (n,), probability of churn within the outcome window, by a model that did not see what
            came after the draw; needed if a prior is relative to churn.
        outcomes: Which outcomes.
        learners: Which learners to compare.
        held_out_share: Share of the latest draws that heads are judged on.
        samples: Resamples behind intervals.
        settings: Sizes; the defaults if None.
        seed: Seed of everything random.
        progress: Called with a sentence a step.
        keep: Called with the later draws of each outcome and what was said of them; not if no head was judged.

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
        found: dict[str, Any] = {"actions": {}, "notes": []}
        if len(treatments):
            judged, learner = _judge(
                treatments, matrix, outcome, believed, churn_probability, learners,
                share=held_out_share, samples=samples, settings=sizes.for_judging(), seed=seed, progress=progress,
                keep=keep,
            )  # fmt: skip
            found |= judged
            draws = Draws.cross_fitted(
                treatments, matrix, outcome, churn_probability, settings=sizes, seed=seed
            )
            fits = fit_heads(learner, draws, believed, settings=sizes, seed=seed)
        for fit in fits:
            facts = fit.facts()
            found["actions"].setdefault(fit.head.action, {})["shipped"] = facts
            if facts["conflict"] and facts["conflict"]["sentence"]:
                found["notes"].append(f"{fit.head.action}: {facts['conflict']['sentence']}")
        wider = [fit.head.action for fit in fits if fit.declared is not None]
        if wider:
            found["notes"].append(
                "Draws and priors of these actions together contradict each other, and priors are believed less: "
                f"{', '.join(wider)}."
            )
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
    keep: Callable[[HeldOutDraws], None] | None,
) -> tuple[dict[str, Any], LearnerName]:
    """Choose a learner on earlier draws and judge it on later ones; return the report of it and the learner."""
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
        default = {"learner": learners[0], "decided": False, "reason": reason}
        note = (
            f"Learners were not compared and no head was judged: {reason} ({facts['split']['train_draws']})."
        )
        return facts | {"choice": default, "notes": [note]}, learners[0]
    train = Draws.cross_fitted(
        treatments.select(split.train), matrix[split.train], outcome, _of(churn, split.train),
        settings=settings, seed=seed,
    )  # fmt: skip
    progress(f"uplift, {outcome}: {', '.join(learners)} compared on {len(train.treatments)} draws")
    choice = choose_learner(learners, train, priors, settings=settings, samples=samples, seed=seed)
    known = choice.differences.get(choice.learner, {})
    chosen = fit_heads(choice.learner, train, priors, settings=settings, seed=seed, differences=known)
    later = train.later(
        treatments.select(split.held_out), matrix[split.held_out], _of(churn, split.held_out),
        settings=settings, seed=seed,
    )  # fmt: skip
    facts["choice"] = choice.as_dict() | {
        "by": "folds of accounts of the earlier draws",
        "draws": len(train.treatments),
    }
    judged = [
        head_figures(fit.head, later, action, samples=samples, seed=seed) for action, fit in enumerate(chosen)
    ]
    facts["actions"] = {
        fit.head.action: {"judged": fit.facts(), "held_out": one}
        for fit, one in zip(chosen, judged, strict=True)
    }
    asked = (later.matrix, later.churn_probability)
    told = [fit.head.effects(*asked) for fit in chosen]
    effects = np.column_stack([effect for effect, _ in told])
    errors = np.stack(
        [
            np.column_stack([error for _, error in told]),
            np.column_stack([fit.head.errors_of_mean(*asked) for fit in chosen]),
        ]
    )
    if keep is not None:
        keep(HeldOutDraws(outcome, later.treatments, later.matrix, later.expected[0], effects))
    facts["calibration"] = pooled_calibration(effects, later, samples=samples, seed=seed)
    facts["policy"] = policy_figures(effects, errors, train, later, samples=samples, seed=seed)
    facts["notes"] = _notes(facts["actions"])
    return facts, choice.learner


def _notes(actions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what a reader of the figures must know of how much is behind them."""
    notes = []
    unjudged = [name for name, one in actions.items() if one["held_out"] is None]
    if unjudged:
        notes.append(f"Too few later draws to judge: {', '.join(unjudged)}.")
    few = [one["held_out"]["draws"] for one in actions.values() if one["held_out"]]
    if few and min(few) < FEW_JUDGED:
        notes.append(
            f"Few draws: actions are judged on {min(few):,} to {max(few):,} later ones, so that the figures of a "
            "single action are rough; read their intervals."
        )
    return notes


def _of(values: NDArray[np.float64] | None, rows: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    return None if values is None else values[rows]
