"""The decision frame: everything that a decision about one account may look at, as plain values."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 -- `frame_json` reads the fields' types at run time
import math
from collections.abc import Mapping  # noqa: TC003 -- likewise
from dataclasses import dataclass, field
from typing import Any, Literal

from serving.decisions.autonomy import Level  # noqa: TC001 -- likewise
from serving.decisions.caps import Lane  # noqa: TC001 -- likewise
from serving.features.rows import ContextValue  # noqa: TC001 -- likewise
from serving.scoring.evidence import reasons_of_leaver

EvidenceStatus = Literal["full", "thin", "stale"]
CHURN = "churn_probability_"
UPSELL = "upsell_probability_"
WINBACK = "winback_probability_"


@dataclass(frozen=True, slots=True)
class Effect:
    """What the bundle says that an action changes in the probability of an outcome.

    Attributes:
        mean: Expected change, absolute; None if the bundle gave no number.
        standard_error: Its standard error; likewise.
        basis: `uplift` if it was learnt from draws of the action, `blend` if draws moved a prior and weigh less than
            it, `prior` if it is a prior alone.
        learner: Which learner told accounts apart; `none` if none did.
        draws: Draws that it was learnt from, both arms.
    """

    mean: float | None
    standard_error: float | None
    basis: str
    learner: str = "none"
    draws: int = 0


@dataclass(frozen=True, slots=True)
class DecisionFrame:
    """What is known of one account at one time.

    Attributes:
        account_id: The account.
        now: The time of the decision, with its zone.
        surface: Where an action would be shown; None when the caller shows all.
        features: Every feature of the contract by name, None where missing.
        churn_probability: Probability of leaving within each horizon (`90d`).
        upsell_probability: Probability of expanding within each horizon.
        score_horizon: The horizon whose churn probability is the account's risk.
        evidence_status: `full`, or why decisions must refuse: `thin`, `stale`.
        evidence: The age of each view, as the score shows it.
        fresh_until: When the first view goes stale; None if that is not known.
        model: Tag of the bundle.
        feature_contract: Hash of the feature contract.
        effects: Effects by action (a key or a type of the catalogue) and by outcome (`retained`, `expanded`,
            `returned`).
        effects_window_days: The window of those outcomes; None if the bundle has no effects.
        extra_mrr_ratio: Expected extra MRR if the account expands, as a share of its MRR; None if the bundle does
            not tell.
        trajectory: Probability that health is `improving`, `stable` or `declining`; empty if the bundle does not tell.
        winback_probability: Probability that an account that has left comes back within each horizon; empty if it has
            not left, or the bundle does not tell.
        lane: Whether a person waits for the decision or a job asks for many.
        caps_used: What is used of caps, by key, in whole units (what is not there is unused); None if not known.
        caps_held: Reservation of each action that is recommended to the account on this surface already.
        rejected: Actions that the account has rejected, by their keys, and until when each is not proposed again.
        autonomy: How far actions have come on the ladder of autonomy, by key; others are where the policy starts.
    """

    account_id: str
    now: dt.datetime
    surface: str | None
    features: Mapping[str, ContextValue]
    churn_probability: Mapping[str, float]
    upsell_probability: Mapping[str, float]
    score_horizon: str
    evidence_status: EvidenceStatus
    evidence: Mapping[str, Any]
    fresh_until: dt.datetime | None
    model: str
    feature_contract: str
    effects: Mapping[str, Mapping[str, Effect]] = field(default_factory=dict)
    effects_window_days: int | None = None
    extra_mrr_ratio: float | None = None
    trajectory: Mapping[str, float] = field(default_factory=dict)
    rejected: Mapping[str, dt.datetime] = field(default_factory=dict)
    lane: Lane = "interactive"
    caps_used: Mapping[str, int] | None = None
    caps_held: Mapping[str, str] = field(default_factory=dict)
    autonomy: Mapping[str, Level] = field(default_factory=dict)
    winback_probability: Mapping[str, float] = field(default_factory=dict)

    @property
    def churn_risk(self) -> float:
        """Probability of leaving within the scored horizon."""
        return self.churn_probability[self.score_horizon]

    @property
    def churn_within_window(self) -> float:
        """Probability of leaving within the window of the effects, or the scored horizon if that has none."""
        return self.churn_probability.get(f"{self.effects_window_days}d", self.churn_risk)

    @property
    def upsell_within_window(self) -> float | None:
        """Probability of expanding within the same time; None if the bundle has no such head."""
        at_score = self.upsell_probability.get(self.score_horizon)
        return self.upsell_probability.get(f"{self.effects_window_days}d", at_score)

    @property
    def return_within_window(self) -> float | None:
        """Probability that the account, which has left, comes back within the same time; None if nobody tells."""
        at_score = self.winback_probability.get(self.score_horizon)
        return self.winback_probability.get(f"{self.effects_window_days}d", at_score)

    @property
    def plan(self) -> str | None:
        """Key of the plan that it has, or had when its subscription ended; None if not known."""
        return self.text("plan") or self.text("plan_at_end")

    @property
    def seats(self) -> float | None:
        """Seats that it has, or had when its subscription ended; None if not known."""
        ended = None if self.text("plan") else self.number("seats_at_end")
        return self.number("seats") if ended is None else ended

    @property
    def bears_win_back(self) -> bool:
        """Whether what is known bears a decision about an account that has left.

        Its views must be fresh and there; see `serving.scoring.evidence.reasons_of_leaver`.
        """
        if self.evidence_status != "thin" or self.flag("has_active_subscription") is not False:
            return self.evidence_status == "full"
        views, reasons = self.evidence.get("views", {}), self.evidence.get("reasons", [])
        has_rows = all(view["as_of"] is not None for view in views.values())
        return bool(reasons) and not reasons_of_leaver(reasons, has_rows=has_rows)

    def effect(self, key: str, kind: str, outcome: str) -> Effect | None:
        """Return the effect on *outcome* of the action with *key*, or of its type *kind*; None if there is neither."""
        for name in (key, kind):
            effect = self.effects.get(name, {}).get(outcome)
            if effect is not None:
                return effect
        return None

    def number(self, name: str) -> float | None:
        """Return the feature or probability *name* as a number, or None if it is missing or not finite."""
        value = self.features.get(name)
        if value is None:
            if name.startswith(CHURN):
                return self.churn_probability.get(name.removeprefix(CHURN))
            if name.startswith(UPSELL):
                return self.upsell_probability.get(name.removeprefix(UPSELL))
            if name.startswith(WINBACK):
                return self.winback_probability.get(name.removeprefix(WINBACK))
            return None
        if isinstance(value, str):
            return None
        number = float(value)
        return number if math.isfinite(number) else None

    def text(self, name: str) -> str | None:
        """Return the text feature *name*, or None if it is missing or empty."""
        value = self.features.get(name)
        return value if isinstance(value, str) and value else None

    def flag(self, name: str) -> bool | None:
        """Return the yes-or-no feature *name*, or None if it is missing."""
        number = self.number(name)
        return None if number is None else bool(number)
