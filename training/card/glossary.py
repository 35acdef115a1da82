"""Terms of the card in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TERMS = {
    "Row": "one account at one cutoff day; an account stands at several cutoffs.",
    "Interval": "a range in brackets or below a figure: 95 % of resamples of accounts gave a figure inside it.",
    "ROC AUC": "the share of pairs of an account with the event and one without in which the former has the higher "
    "probability; 0.5 is chance, 1 perfect.",
    "Average precision": "precision averaged over all thresholds; the event rate is chance.",
    "Brier score, log loss": "how far probabilities lie from what happened, squared or in nats; smaller is better.",
    "Precision, recall": "of the flagged accounts, the share with the event; of the accounts with the event, the share "
    "that was flagged. F1 is their harmonic mean.",
    "Precision first": "the longest list whose precision is surely above the target; where there is none, the short "
    "list whose precision can be promised best; where even that is not surely above the event rate, nobody.",
    "Lift, top 10 %": "how many times more events the tenth with the highest probability holds than a tenth drawn at "
    "random.",
    "Observed / expected": "events that came over the sum of probabilities; 1 is right, above 1 more came than was "
    "said.",
    "Expected calibration error": "mean distance between probability and event rate, over groups of equal size.",
    "Brier decomposition": "reliability is what wrong probabilities cost, resolution what telling accounts apart "
    "gains, skill the share of the score of always saying the event rate that is saved.",
    "MRR": "monthly recurring revenue, in {currency}; so are all figures of value.",
    "Revenue-protection accuracy": "share of the MRR whose account was rightly flagged or rightly left alone.",
    "Embargo": "days between two parts of the data, so that the end of one does not touch the next.",
}
_UPLIFT_TERMS = {
    "Uplift, effect": "what an action changes in the probability of the outcome, in points of probability.",
    "Draw": "a logged decision between an action and others or nothing, made by a known chance.",
    "Learners": "S: one model of the outcome that knows the action; T: one model of those acted on and one of the "
    "others; DR: doubly robust, right if either the chances or the outcome model are.",
    "x P(churn)": "an effect as a share of the account's own probability of leaving.",
    "Qini": "area between the curve of gain and that of a random order; 0 is chance.",
    "AUUC": "area under the curve of uplift: gain an account, averaged over all shares acted on.",
    "IPS, SNIPS, doubly robust": "three ways to tell what a policy would have brought from logged draws: by inverse "
    "chances, by the same normalised, and by both chances and a model of the outcome.",
    "Persuadable, sure thing, lost cause, sleeping dog": "accounts whose outcome is good only with the action, either "
    "way, neither way, or only without it.",
}


def glossary(metrics: Mapping[str, Any], currency: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return terms with their meanings, those of uplift only where the bundle has it.

    Args:
        metrics: Of the manifest.
        currency: Of all money, if it is known.
    """
    terms = {**_TERMS, **(_UPLIFT_TERMS if metrics.get("uplift") else {})}
    money = currency or "the currency of the data"
    return tuple((name, meaning.replace("{currency}", money)) for name, meaning in terms.items())
