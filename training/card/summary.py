"""What the card says first: five figures, what the bundle is good for, and what it must not be used for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serving.bundle.manifest import Manifest
    from training.card.values import Figure, HeadFacts, HorizonFacts

_EVENTS = {"churn": ("leave", "leaving"), "upsell": ("expand", "expanding")}
_GATES = (
    "Whether it may serve is not this card's to say: `keepgrow promote` holds it against limits and against the bundle "
    "that serves, and `keepgrow models history` keeps what came of it."
)


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One of the first figures: its name, value, interval (or nothing) and what it means."""

    name: str
    value: str
    interval: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The head of the card.

    Attributes:
        figures: Five at most, with intervals.
        good: What the bundle may be used for, a sentence each, by the evidence below.
        bad: What it must not be used for.
        gates: Who says whether the bundle may serve.
    """

    figures: tuple[KeyFigure, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    gates: str


def summary_of(manifest: Manifest, heads: tuple[HeadFacts, ...]) -> Summary:
    """Return the head of the card.

    Args:
        manifest: Of the bundle.
        heads: Facts of its heads.
    """
    key = f"{manifest.score_horizon_days}d"
    scored = {
        head.name: one
        for head in heads
        if (one := next((one for one in head.horizons if one.horizon == key), None)) is not None
    }
    good: list[str] = []
    bad: list[str] = []
    for name, horizon in scored.items():
        for told, fine in _judged(name, horizon):
            (good if fine else bad).append(told)
    for told, fine in _uplift(manifest.metrics.get("uplift") or {}):
        (good if fine else bad).append(told)
    bad += _unfair(manifest.metrics.get("slices") or {})
    bad += [
        "Telling what an action would change from a probability: a likely churner need not be one whom an offer keeps.",
        "Decisions about natural persons.",
    ]
    if manifest.provenance.synthetic:
        bad.insert(0, "Any claim about real customers: the data is synthetic.")
    return Summary(tuple(_figures(scored)), tuple(good), tuple(bad), _GATES)


def _figures(scored: Mapping[str, HorizonFacts]) -> Iterator[KeyFigure]:
    for name, horizon in scored.items():
        found = _ours(horizon, "roc_auc")
        if found is not None:
            verb, _ = _EVENTS.get(name, (name, name))
            yield _key(
                f"{name.capitalize()}: ROC AUC",
                found,
                f"of 100 pairs of an account that will {verb} and one that will not, {100 * (found.value or 0):.0f} "
                "are ranked rightly; chance is 50",
            )
    if not scored:
        return
    name = "churn" if "churn" in scored else next(iter(scored))
    horizon = scored[name]
    verb, _ = _EVENTS.get(name, (name, name))
    lift, precision = _ours(horizon, "lift_top_decile"), _ours(horizon, "precision")
    recall, ratio = _ours(horizon, "recall"), _ours(horizon, "observed_to_expected")
    if lift is not None:
        meaning = f"so many times more accounts {verb} in the tenth with the highest probability than in all"
        yield _key(f"{name.capitalize()}: lift, top 10 %", lift, meaning)
    if precision is not None:
        told = "" if recall is None or recall.value is None else _found(recall, verb)
        yield _key(
            f"{name.capitalize()}: precision", precision, f"of the flagged accounts, so many {verb}{told}"
        )
    if ratio is not None:
        meaning = "events that came over events expected: 1 is right, above 1 more came than was said"
        yield _key(f"{name.capitalize()}: observed / expected", ratio, meaning)


def _found(recall: Figure, verb: str) -> str:
    between = "" if recall.low is None or recall.high is None else f", {recall.low:.2f} to {recall.high:.2f}"
    return f"; recall {recall.value:.2f}{between}: so many of those that {verb} are flagged"


def _key(name: str, figure: Figure, meaning: str) -> KeyFigure:
    between = "" if figure.low is None or figure.high is None else f"{figure.low:.2f} to {figure.high:.2f}"
    return KeyFigure(name, f"{figure.value:.2f}", between, meaning)


def _ours(horizon: HorizonFacts, metric: str) -> Figure | None:
    figure = horizon.models[0].figures.get(metric) if horizon.models else None
    return None if figure is None or figure.value is None else figure


def _judged(name: str, horizon: HorizonFacts) -> Iterator[tuple[str, bool]]:
    """Give sentences on one head at the horizon of the score, each with whether it speaks for the bundle."""
    verb, ing = _EVENTS.get(name, (name, name))
    within = horizon.horizon.replace("d", " days")
    auc, lift = _ours(horizon, "roc_auc"), _ours(horizon, "lift_top_decile")
    if auc is not None and auc.low is not None:
        if auc.low > 0.5:  # noqa: PLR2004 - chance
            more = "" if lift is None else f": the top tenth holds {lift.value:.1f} times its share of events"
            yield f"Choosing which accounts to look at first for {ing} within {within}{more}.", True
        else:
            yield f"Ordering accounts by the chance of {ing}: not shown to be better than chance.", False
    if horizon.doubtful:
        others = " or ".join(f"the {one}" for one in horizon.doubtful)
        yield f"A claim that {name} is ranked better than by {others}: the test does not show it.", False
    precision = _ours(horizon, "precision")
    if horizon.missed:
        share = (
            ""
            if precision is None
            else f" of 100 flagged accounts, {100 * (precision.value or 0):.0f} {verb};"
        )
        yield (
            f"Acting on flags of {name} without a look:{share} missed targets: {', '.join(horizon.missed)}.",
            False,
        )
    ratio = _ours(horizon, "observed_to_expected")
    if ratio is not None and ratio.low is not None and ratio.high is not None:
        holds = ratio.low <= 1 <= ratio.high
        told = f"observed / expected {ratio.value:.2f}, {ratio.low:.2f} to {ratio.high:.2f}"
        verdict = "Planning with" if holds else "Budgeting with"
        yield f"{verdict} {name} probabilities as they stand ({told}).", holds


_AIMS = {"retained": "be retained", "expanded": "be expanded", "returned": "come back"}


def _uplift(found: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for outcome, entry in found.get("outcomes", {}).items():
        gain = ((entry.get("policy") or {}).get("uplift_less_others") or {}).get("nothing")
        if gain and gain["low"] is not None:
            fine = gain["low"] > 0
            told = f"{gain['value']:+.3f}, {gain['low']:+.3f} to {gain['high']:+.3f}"
            yield (
                f"Acting where uplift says so, for accounts to {_AIMS.get(outcome, outcome)}: "
                + ("surely better" if fine else "not shown to be better")
                + f" than doing nothing on later draws ({told}).",
                fine,
            )


def _unfair(slices: Mapping[str, Any]) -> Iterator[str]:
    for head, found in slices.items():
        beyond = [gap for gap in found.get("gaps") or () if gap["verdict"] == "beyond"]
        if beyond:
            named = ", ".join(
                dict.fromkeys(f"{gap['column']} {gap['slice']}".replace("_", " ") for gap in beyond)
            )
            yield f"Treating accounts of all kinds alike by {head}: gaps lie surely beyond their limits ({named})."
