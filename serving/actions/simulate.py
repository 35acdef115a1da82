"""Simulations: what would come of an action, of an action on many accounts, or of another policy. Pure functions.

Nothing is written and nothing leaves. A simulation of one action holds all that applying it needs.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from feature_repo.contract import canonical_hash
from serving.actions.checks import stopping, verdicts
from serving.actions.fairness import exposure
from serving.actions.projection import Outlay, outlay, projection
from serving.actions.types import DraftError, Situation, TypedAction, draft, message_of
from serving.actions.types.pricing import bounds
from serving.decisions.decision import utc_text
from serving.decisions.next_best_action import decide
from serving.errors import ServingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.decisions.catalogue import Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.compiled import Policy

VALID: Final = dt.timedelta(hours=24)
"""How long a simulation can be applied; policy is checked again then anyway."""


class UnknownAction(ServingError):  # noqa: N818 -- names the state that a caller meets, as others here do
    """The catalogue has no action with this key, or it is of another type."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What actions are judged by."""

    catalogue: Catalogue
    policy: Policy

    def situation(self, frame: DecisionFrame, action_key: str, type_: str | None = None) -> Situation:
        """Return how the catalogue's action *action_key*, of *type_* if given, stands to the account of *frame*.

        Raises:
            UnknownAction: The catalogue has no such action, or it is of another type.
        """
        entry = self.catalogue.actions_by_key.get(action_key)
        if entry is None:
            raise UnknownAction(f"the catalogue has no action {action_key!r}")
        if type_ is not None and entry.type != type_:
            raise UnknownAction(f"the catalogue's action {action_key!r} is of type {entry.type}, not {type_}")
        return Situation(frame, self.catalogue, entry)

    def hashes(self, frame: DecisionFrame | None) -> dict[str, str]:
        """Return what a simulation or receipt was made by."""
        found = {"policy": self.policy.hash, "catalogue": self.catalogue.hash}
        if frame is not None:
            found |= {"model": frame.model, "feature_contract": frame.feature_contract}
        return found


def action_json(action: TypedAction) -> dict[str, Any]:
    """Return *action* as JSON values."""
    content: dict[str, Any] = action.model_dump(mode="json")
    return content


def judged(action: TypedAction, situation: Situation, rules: Rules) -> dict[str, Any]:
    """Return what can be said of *action* now: in words, with every check, and what must be shown with it.

    Receipts hold the same, made again at their time.
    """
    checks = verdicts(action, situation, rules.policy)
    catalogue, entry = situation.catalogue, situation.action
    words = message_of(action, situation)
    item = (
        getattr(action, "item", None) or getattr(action, "plan_to", None) or getattr(action, "bundle", None)
    )
    seats = situation.frame.seats
    band = None if item is None or seats is None else bounds(str(item), situation, int(seats))
    content = action_json(action)
    return {
        "action": content,
        "action_hash": canonical_hash(content),
        "read_back": action.read_back(),
        "reversible": action.inverse() is not None,
        "message": None if words is None else {"locale": words[0], "text": words[1]},
        "disclosures": catalogue.disclosures_for(entry, situation.region, situation.locale),
        "price_band": None
        if band is None
        else {"item": item, "region": situation.region, "currency": catalogue.currency, **_rounded(band)},
        "blast_radius": entry.blast_radius,
        "approvals_needed": catalogue.approvals_needed(entry),
        "allowed": not stopping(checks),
        "checks": [check.to_dict() for check in checks],
        "evidence": dict(situation.frame.evidence),
        "hashes": rules.hashes(situation.frame),
    }


def _rounded(band: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in band.items()}


def simulate_action(action: TypedAction, frame: DecisionFrame, rules: Rules) -> dict[str, Any]:
    """Return the simulation of one action: checks, words, and what it would bring beside doing nothing.

    Raises:
        UnknownAction: The catalogue has no such action, or it is of another type.
    """
    situation = rules.situation(frame, action.action_key, action_json(action)["type"])
    one = outlay(action, situation)
    catalogue = rules.catalogue
    return {
        "kind": "action",
        "account_id": frame.account_id,
        **judged(action, situation, rules),
        "projection": projection([one], catalogue.margin, catalogue.currency),
        "counterfactual": {
            "action": None,
            "churn_risk": round(one.churn, 6),
            "mrr_at_risk": round(one.churn * one.mrr, 2),
            "currency": catalogue.currency,
        },
        "fairness": None,
        "valid_until": utc_text(frame.now + VALID),
    }


def simulate_accounts(action_key: str, frames: Sequence[DecisionFrame], rules: Rules) -> dict[str, Any]:
    """Return what the catalogue's action *action_key* would bring on many accounts, and who would get it.

    Raises:
        UnknownAction: The catalogue has no such action.
    """
    accounts: list[dict[str, Any]] = []
    outlays: list[Outlay] = []
    for frame in frames:
        shown, one = _drafted(rules.situation(frame, action_key), rules)
        accounts.append({"account_id": frame.account_id, **shown})
        if shown["allowed"] and one is not None:
            outlays.append(one)
    catalogue = rules.catalogue
    return {
        "kind": "accounts",
        "action_key": action_key,
        "accounts": accounts,
        "projection": projection(outlays, catalogue.margin, catalogue.currency),
        "fairness": exposure(frames, [one["allowed"] for one in accounts]),
        "hashes": rules.hashes(frames[0] if frames else None),
    }


def _drafted(situation: Situation, rules: Rules) -> tuple[dict[str, Any], Outlay | None]:
    """Return how the action stands on one account, in short, and its outlay if it can be written out."""
    try:
        action = draft(situation)
    except DraftError as error:
        stopped = [{"stage": "form", "rule": "fact_missing", "text": str(error)}]
        return {"allowed": False, "stopped_by": stopped, "read_back": None}, None
    stopped = [
        {"stage": one.stage, "rule": one.rule, "text": one.text}
        for one in stopping(verdicts(action, situation, rules.policy))
    ]
    shown = {"allowed": not stopped, "stopped_by": stopped, "read_back": action.read_back()}
    return shown, outlay(action, situation)


def simulate_policy(frames: Sequence[DecisionFrame], now: Rules, candidate: Rules) -> dict[str, Any]:
    """Return which accounts would get another action by *candidate* than by the policy *now*, and what that brings."""
    changes: list[dict[str, Any]] = []
    by_now, by_candidate = _winners(frames, now), _winners(frames, candidate)
    for frame, before, after in zip(frames, by_now.winners, by_candidate.winners, strict=True):
        if before != after:
            changes.append({"account_id": frame.account_id, "before": before, "after": after})
    return {
        "kind": "policy",
        "accounts": len(frames),
        "changes": changes,
        "current": by_now.to_dict(frames),
        "candidate": by_candidate.to_dict(frames),
        "hashes": now.hashes(frames[0] if frames else None) | {"candidate_policy": candidate.policy.hash},
    }


@dataclass(frozen=True, slots=True)
class _Winners:
    rules: Rules
    winners: list[str | None]
    outlays: list[Outlay]

    def to_dict(self, frames: Sequence[DecisionFrame]) -> dict[str, Any]:
        catalogue = self.rules.catalogue
        return {
            "policy": self.rules.policy.hash,
            "projection": projection(self.outlays, catalogue.margin, catalogue.currency),
            "fairness": exposure(frames, [winner is not None for winner in self.winners]),
        }


def _winners(frames: Sequence[DecisionFrame], rules: Rules) -> _Winners:
    """Return which action each account would get; one that can't be written out is none."""
    winners: list[str | None] = []
    outlays: list[Outlay] = []
    for frame in frames:
        winner = decide(frame, rules.catalogue, rules.policy).winner
        key = None
        if winner is not None:
            situation = Situation(frame, rules.catalogue, winner.action)
            try:
                outlays.append(outlay(draft(situation), situation))
                key = winner.action.key
            except DraftError:
                key = None
        winners.append(key)
    return _Winners(rules, winners, outlays)


def fingerprint(content: object) -> str:
    """Return a digest of *content*, equal for equal JSON whatever its layout."""
    return canonical_hash(orjson.loads(orjson.dumps(content)))
