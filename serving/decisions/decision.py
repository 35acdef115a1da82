"""What was decided about one account, and about every candidate on the way."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.decisions.arbitration import Draw
    from serving.decisions.autonomy import Level
    from serving.decisions.catalogue import Action
    from serving.decisions.lift import Basis


def utc_text(time: dt.datetime) -> str:
    """Return *time* as RFC 3339 text in UTC, to the second."""
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One candidate that fell, and why.

    Attributes:
        action: Key of the action.
        stage: Where it fell.
        rule: Code of the reason.
        text: The reason in a sentence.
        policy_rule: Id of the policy's rule; None if the catalogue or the value stopped it.
        safer_alternative: Key of the action to take instead, if the rule points to one that stands.
    """

    action: str
    stage: str
    rule: str
    text: str
    policy_rule: str | None = None
    safer_alternative: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the refusal as the API shows it."""
        shown: dict[str, Any] = {
            "action": self.action,
            "stage": self.stage,
            "rule": self.rule,
            "text": self.text,
        }
        if self.policy_rule is not None:
            shown["policy_rule"] = self.policy_rule
        if self.safer_alternative is not None:
            shown["safer_alternative"] = self.safer_alternative
        return shown


@dataclass(frozen=True, slots=True)
class ExpectedValue:
    """Expected incremental value of an action in a year, net of its cost.

    Attributes:
        amount: Mean, in `currency`.
        low: Lower end of the central 90 % interval.
        high: Upper end of it.
        currency: ISO 4217 code.
        lift_retain: Believed absolute change of the probability of staying.
        lift_expand: Believed absolute change of the probability of expanding.
        extra_mrr: MRR that an expansion adds.
        lift_return: Believed absolute change of the probability of coming back, of an account that has left; None for
            one that has not.
        lift_return_90: Its central 90 % interval.
        mrr_back: MRR that comes back with it.
        lift_retain_90: Central 90 % interval of `lift_retain`.
        lift_expand_90: Likewise.
        basis: `uplift` if what counts in it was learnt from draws of the action, `prior` if it is declared.
        margin: Gross margin of revenue, a share.
        gross: Expected incremental margin in a year, before cost and discount.
        cost: Cost of the action.
        expected_discount: What the action is expected to give away in a year.
        levers: The business's own weights, by name; they rank the action and are no part of the amount.
    """

    amount: float
    low: float
    high: float
    currency: str
    lift_retain: float
    lift_expand: float
    extra_mrr: float
    lift_retain_90: tuple[float, float] = (0.0, 0.0)
    lift_expand_90: tuple[float, float] = (0.0, 0.0)
    basis: Basis = "prior"
    margin: float = 1.0
    gross: float = 0.0
    cost: float = 0.0
    expected_discount: float = 0.0
    levers: Mapping[str, float] = field(default_factory=dict)
    lift_return: float | None = None
    lift_return_90: tuple[float, float] = (0.0, 0.0)
    mrr_back: float = 0.0

    @property
    def ranked_by(self) -> float:
        """The amount times all levers: what actions are ranked by."""
        return self.amount * math.prod(self.levers.values())

    @property
    def value_per_cost(self) -> float | None:
        """Expected incremental margin for each unit of cost; None if the action costs nothing."""
        return self.gross / self.cost if self.cost else None

    def to_dict(self) -> dict[str, Any]:
        """Return the value as the API shows it, money to the cent; of coming back only where it is about that."""
        back: dict[str, Any] = {}
        if self.lift_return is not None:
            back = {
                "lift_return": round(self.lift_return, 6),
                "lift_return_interval_90": _rounded(self.lift_return_90),
                "mrr_back": round(self.mrr_back, 2),
            }
        return {
            "amount": round(self.amount, 2),
            "currency": self.currency,
            "interval_90": [round(self.low, 2), round(self.high, 2)],
            "basis": self.basis,
            "lift_retain": round(self.lift_retain, 6),
            "lift_retain_interval_90": _rounded(self.lift_retain_90),
            "lift_expand": round(self.lift_expand, 6),
            "lift_expand_interval_90": _rounded(self.lift_expand_90),
            **back,
            "lift_per_cost": self._lift_per_cost(),
            "value_per_cost": None if self.value_per_cost is None else round(self.value_per_cost, 4),
            "extra_mrr": round(self.extra_mrr, 2),
            "margin": {"ratio": self.margin, "amount": round(self.gross, 2)},
            "cost": self.cost,
            "expected_discount": round(self.expected_discount, 2),
            "levers": dict(self.levers),
            "ranked_by": round(self.ranked_by, 2),
        }

    def _lift_per_cost(self) -> dict[str, float] | None:
        if not self.cost:
            return None
        return {
            "retain": round(self.lift_retain / self.cost, 8),
            "expand": round(self.lift_expand / self.cost, 8),
            **({} if self.lift_return is None else {"return": round(self.lift_return / self.cost, 8)}),
        }


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(end, 6) for end in interval]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate that stood, with what it would be and what it is worth."""

    action: Action
    details: Mapping[str, Any]
    drivers: tuple[Mapping[str, Any], ...]
    value: ExpectedValue
    drafted_by: tuple[str, ...] = ()
    """Budgets that are used up: the action may be prepared, and not shown."""
    autonomy: Level = "one_click"
    """How far the action may go without a person."""

    @property
    def rank_key(self) -> tuple[bool, float, float, str]:
        """Sort key: what may be shown first, then levered value, cost and name; the order of input never matters."""
        return (bool(self.drafted_by), -self.value.ranked_by, self.action.cost, self.action.key)

    def action_dict(self) -> dict[str, Any]:
        """Return the action as the API shows it."""
        action = self.action
        return {
            "type": action.type,
            "key": action.key,
            "title": action.title,
            "playbook": action.playbook,
            "channel": action.channel,
            "cost": action.cost,
            "parameters": dict(action.parameters),
            "mode": "draft" if self.drafted_by else "show",
            "drafted_by": list(self.drafted_by),
            "autonomy": self.autonomy,
            **self.details,
        }

    def reason_dict(self) -> dict[str, Any]:
        """Return the reason for the action as the API shows it."""
        return {
            "code": self.action.reason_code,
            "text": self.action.reason_text,
            "drivers": [dict(driver) for driver in self.drivers],
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the proposal as an entry of `alternatives`."""
        value = self.value.to_dict()
        return {
            "action": self.action_dict(),
            "reason": self.reason_dict(),
            "basis": self.value.basis,
            "expected_value": value,
            "value_per_cost": value["value_per_cost"],
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """The one action worth taking now, or the reason for none; and what became of every other candidate."""

    decision_id: str
    account_id: str
    winner: Proposal | None
    reason_code: str
    reason_text: str
    alternatives: tuple[Proposal, ...]
    refused: tuple[Refusal, ...]
    valid_until: dt.datetime
    decided_at: dt.datetime
    evidence: Mapping[str, Any]
    model: str
    feature_contract: str
    policy: str
    catalogue: str
    basis: Basis = "prior"
    reservation: Mapping[str, Any] | None = None
    """What the winner uses of caps, until it is shown or given back."""
    draw: Draw | None = None
    """What chance had to do with it."""

    @property
    def uses_caps(self) -> bool:
        """Whether the winner uses something of caps that no earlier decision has reserved."""
        return self.reservation is not None and self.reservation["id"] == self.decision_id

    def _reason_for_nothing(self) -> dict[str, str]:
        return {"code": self.reason_code, "text": self.reason_text}

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as the API shows it."""
        winner = self.winner
        return {
            "decision_id": self.decision_id,
            "account_id": self.account_id,
            "action": winner.action_dict() if winner else None,
            "reason": winner.reason_dict() if winner else self._reason_for_nothing(),
            "basis": self.basis,
            "expected_value": winner.value.to_dict() if winner else None,
            "alternatives": [proposal.to_dict() for proposal in self.alternatives],
            "refused": [refusal.to_dict() for refusal in self.refused],
            "reservation": self.reservation,
            "draw": None if self.draw is None else self.draw.to_dict(),
            "decided_at": utc_text(self.decided_at),
            "valid_until": utc_text(self.valid_until),
            "evidence": self.evidence,
            "model": self.model,
            "feature_contract": self.feature_contract,
            "policy": self.policy,
            "catalogue": self.catalogue,
        }
