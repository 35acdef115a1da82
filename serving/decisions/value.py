"""What an action is worth: declared prior lifts turned into money a year, with an interval.

`margin * (lift_expand * extra_mrr * 12 + lift_retain * mrr * 12) - cost`. The retain prior is a relative
reduction of churn, so its absolute lift is the prior times the account's churn probability. A propensity to
buy is never a lift.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from serving.decisions.decision import ExpectedValue, Refusal
from serving.decisions.policy.stages import VALUE_STAGE

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame

MONTHS = 12
Z_90 = 1.6448536269514722


def seats_to_add(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> int:
    """Return how many seats the action adds: its share of the seats, rounded up, within the plan's most."""
    seats = int(frame.number("seats") or 0)
    wanted = max(1, math.ceil(round(seats * action.extra_mrr.share, 9)))
    most = catalogue.plans_by_key[frame.text("plan") or ""].seats_max
    return wanted if most is None else max(0, min(wanted, most - seats))


def extra_mrr(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> float | None:
    """Return the MRR that an expansion by *action* adds, or None if it can't be told."""
    rule = action.extra_mrr
    if rule.rule == "none":
        return 0.0
    if rule.rule == "fixed":
        return rule.amount
    if rule.rule == "share_of_mrr":
        mrr = frame.number("mrr")
        return None if mrr is None else rule.share * mrr
    current = catalogue.plans_by_key[frame.text("plan") or ""]
    seats = int(frame.number("seats") or 0)
    discount = min(1.0, max(0.0, frame.number("discount_ratio") or 0.0))
    if rule.rule == "seats":
        return seats_to_add(frame, catalogue, action) * current.price_per_seat * (1.0 - discount)
    following = catalogue.next_plan(current.key)
    if following is None:
        return None
    return max(0.0, following.list_mrr(seats) - current.list_mrr(seats)) * (1.0 - discount)


def details(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> dict[str, Any]:
    """Return what the action would change: plan from and to, or seats from and to."""
    seats = frame.number("seats")
    if action.extra_mrr.rule == "next_plan" or action.type == "start_trial_or_upgrade":
        key = frame.text("plan") or ""
        following = catalogue.next_plan(key)
        return {"plan_from": key, "plan_to": following.key if following else None}
    if action.extra_mrr.rule == "seats" and seats is not None:
        return {"seats_from": int(seats), "seats_to": int(seats) + seats_to_add(frame, catalogue, action)}
    return {}


def appraise(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> ExpectedValue | Refusal:
    """Return the expected value of *action*, or why it has none that is surely above zero."""

    def refuse(rule: str, text: str) -> Refusal:
        return Refusal(action=action.key, stage=VALUE_STAGE, rule=rule, text=text)

    mrr = frame.number("mrr")
    extra = extra_mrr(frame, catalogue, action)
    if mrr is None or extra is None:
        return refuse("value_unknown", "The account's revenue is not known, so neither is the value")
    risk = frame.churn_risk
    retain, expand = action.priors.retain, action.priors.expand
    year = catalogue.margin * MONTHS
    gross = year * (expand.mean * extra + retain.mean * risk * mrr)
    spread = Z_90 * year * math.hypot(expand.sd * extra, retain.sd * risk * mrr)
    if gross - spread <= 0:
        return refuse("lift_not_above_zero", "The lower bound of the believed effect is not above zero")
    if gross <= action.cost:
        return refuse(
            "not_worth_its_cost",
            f"Believed to be worth {gross:.2f} {catalogue.currency}, and costs {action.cost:.2f}",
        )
    return ExpectedValue(
        amount=gross - action.cost,
        low=gross - spread - action.cost,
        high=gross + spread - action.cost,
        currency=catalogue.currency,
        lift_retain=retain.mean * risk,
        lift_expand=expand.mean,
        extra_mrr=extra,
    )
