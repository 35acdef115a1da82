"""What an action is worth: lifts turned into money a year, with an interval; and what is not worth an action.

`margin * (lift_expand * extra_mrr * 12 + lift_retain * mrr * 12) - cost - expected_discount`. Of an action that wins
back accounts that have left it is `margin * lift_return * mrr_at_end * 12 - cost - expected_discount`. `lift` beside
this module says what is believed of an action.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.decisions.decision import ExpectedValue, Refusal
from serving.decisions.lift import believed_lifts, believed_return, why_suppressed
from serving.decisions.policy.stages import VALUE_STAGE
from serving.decisions.pricing import discount_of, list_factor, list_price

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.lift import BelievedLift, Outcome

MONTHS = 12


def seats_to_add(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> int:
    """Return how many seats the action adds: its share of the seats, rounded up, within the plan's most."""
    seats = int(frame.seats or 0)
    wanted = max(1, math.ceil(round(seats * action.extra_mrr.share, 9)))
    most = catalogue.plans_by_key[frame.plan or ""].seats_max
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
    current = catalogue.plans_by_key[frame.plan or ""]
    seats = int(frame.seats or 0)
    discount, region = discount_of(frame), frame.text("region")
    if rule.rule == "seats":
        price = current.price_per_seat * list_factor(catalogue, current.key, region)
        return seats_to_add(frame, catalogue, action) * price * (1.0 - discount)
    following = catalogue.next_plan(current.key)
    if following is None:
        return None
    prices = [list_price(catalogue, plan.key, seats, region) for plan in (following, current)]
    return max(0.0, prices[0] - prices[1]) * (1.0 - discount)


def details(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> dict[str, Any]:
    """Return what the action would change: plan from and to, or seats from and to."""
    seats = frame.seats
    if action.extra_mrr.rule == "next_plan" or action.type == "start_trial_or_upgrade":
        key = frame.plan or ""
        following = catalogue.next_plan(key)
        return {"plan_from": key, "plan_to": following.key if following else None}
    if action.extra_mrr.rule == "seats" and seats is not None:
        return {"seats_from": int(seats), "seats_to": int(seats) + seats_to_add(frame, catalogue, action)}
    return {}


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What an action is believed to be worth, also where that is not enough to propose it.

    Attributes:
        value: The expected value.
        fault: Code and sentence of why it is not proposed by its uplift; None if it is.
        by_propensity: What it would be worth if it kept everybody who leaves, or made everybody buy: what a ranking
            without uplift goes by, in the same currency.
        aim: The outcome from which most is hoped.
        may_be_drawn: Whether a control arm may take it: some effect is believed in, and no harm is sure.
    """

    value: ExpectedValue
    fault: tuple[str, str] | None
    by_propensity: float
    aim: Outcome
    may_be_drawn: bool


def appraise(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> Appraisal | Refusal:
    """Return what *action* is believed to be worth, or that nobody can tell.

    With several lifts, the distances from the mean to the ends of their intervals add up as independent errors do
    (Zou and Donner, 2008, "Construction of confidence limits about effect measures", Statistics in Medicine 27).
    """
    if action.wins_back:
        return _appraise_return(frame, catalogue, action)
    lifts, mrr = believed_lifts(frame, action), frame.number("mrr")
    extra = None if lifts is None else expansion(frame, catalogue, action, lifts[1])
    if lifts is None or extra is None or mrr is None or mrr < 0:
        text = "The account's revenue or the effect on it is not known, so neither is the value"
        return Refusal(action.key, VALUE_STAGE, "value_unknown", text)
    retain, expand = lifts
    stakes = {"retained": mrr, "expanded": extra}
    year = catalogue.margin * MONTHS
    gross = year * (expand.mean * extra + retain.mean * mrr)
    below = year * math.hypot((expand.mean - expand.low) * extra, (retain.mean - retain.low) * mrr)
    above = year * math.hypot((expand.high - expand.mean) * extra, (retain.high - retain.mean) * mrr)
    aim = max((retain, expand), key=lambda lift: lift.high * stakes[lift.outcome])
    fault = why_suppressed(lifts, aim, surely=gross - below > 0)
    given = expected_discount(frame, action, mrr, 1.0 - frame.churn_within_window + retain.mean)
    amount = gross - action.cost - given
    fault = fault or _too_dear(catalogue, gross, amount)
    counted = [lift for lift in (retain, expand) if lift.is_claimed and stakes[lift.outcome] > 0]
    value = ExpectedValue(
        amount=amount,
        low=amount - below,
        high=amount + above,
        currency=catalogue.currency,
        lift_retain=retain.mean,
        lift_expand=expand.mean,
        extra_mrr=extra,
        lift_retain_90=(retain.low, retain.high),
        lift_expand_90=(expand.low, expand.high),
        basis="uplift" if counted and all(lift.basis == "uplift" for lift in counted) else "prior",
        margin=catalogue.margin,
        gross=gross,
        cost=action.cost,
        expected_discount=given,
        levers=action.levers,
    )
    chance = {"retained": frame.churn_within_window, "expanded": frame.upsell_within_window or 0.0}
    hoped = sum(chance[lift.outcome] * stakes[lift.outcome] for lift in counted)
    return Appraisal(
        value=value,
        fault=fault,
        by_propensity=year * hoped - action.cost - given,
        aim=aim.outcome,
        may_be_drawn=bool(counted) and not any(lift.harms for lift in lifts),
    )


def _appraise_return(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> Appraisal | Refusal:
    """Return what *action* is worth for an account that has left: the MRR that it had, as far as it comes back."""
    back, mrr = believed_return(frame, action), frame.number("mrr_at_end")
    if back is None or mrr is None or mrr < 0:
        text = "What the account paid when it left or the effect on it is not known, so neither is the value"
        return Refusal(action.key, VALUE_STAGE, "value_unknown", text)
    year = catalogue.margin * MONTHS * mrr
    gross, low, high = (year * lift for lift in (back.mean, back.low, back.high))
    fault = why_suppressed((back,), back, surely=low > 0)
    # Where nobody can tell how many come back anyway, the discount is counted for those alone whom it brings back.
    given = expected_discount(frame, action, mrr, (frame.return_within_window or 0.0) + back.mean)
    amount = gross - action.cost - given
    value = ExpectedValue(
        amount=amount,
        low=low - action.cost - given,
        high=high - action.cost - given,
        currency=catalogue.currency,
        lift_retain=0.0,
        lift_expand=0.0,
        extra_mrr=0.0,
        basis=back.basis,
        margin=catalogue.margin,
        gross=gross,
        cost=action.cost,
        expected_discount=given,
        levers=action.levers,
        lift_return=back.mean,
        lift_return_90=(back.low, back.high),
        mrr_back=mrr,
    )
    return Appraisal(
        value=value,
        fault=fault or _too_dear(catalogue, gross, amount),
        by_propensity=year * (frame.return_within_window or 0.0) - action.cost - given,
        aim="returned",
        may_be_drawn=back.is_claimed and mrr > 0 and not back.harms,
    )


def _too_dear(catalogue: Catalogue, gross: float, amount: float) -> tuple[str, str] | None:
    """Return that what is left of *gross* after cost and discount, *amount*, is nothing; None if there is something."""
    if amount > 0:
        return None
    text = f"Believed to be worth {gross:.2f} {catalogue.currency}, and costs {gross - amount:.2f}"
    return "not_worth_its_cost", text


def expansion(
    frame: DecisionFrame, catalogue: Catalogue, action: Action, expand: BelievedLift
) -> float | None:
    """Return the MRR that the expansion adds that *expand* speaks of, or None if it can't be told.

    A prior speaks of what the action offers, and the catalogue knows its price. An effect that was learnt is one on
    any expansion, and the bundle tells how large those are.
    """
    if expand.basis == "prior" or frame.extra_mrr_ratio is None:
        return extra_mrr(frame, catalogue, action)
    mrr = frame.number("mrr")
    return None if mrr is None else max(0.0, frame.extra_mrr_ratio * mrr)


def expected_discount(frame: DecisionFrame, action: Action, mrr: float, taking: float) -> float:
    """Return what *action* is expected to give away in a year.

    An action with a `discount_ratio` among its parameters offers the list price less that, for `term_months` (a year
    if it does not say). Whoever stays, or comes back, takes it, also those who would have done so without it.

    Args:
        frame: The account.
        action: The action.
        mrr: What the account pays, or paid when it left.
        taking: Probability that it takes it; what lies outside 0 to 1 is cut.
    """
    offered, months = action.parameters.get("discount_ratio"), action.parameters.get("term_months", MONTHS)
    if not isinstance(offered, int | float) or not isinstance(months, int | float):
        return 0.0
    paid = 1.0 - discount_of(frame)
    share = 0.0 if paid <= 0 else max(0.0, 1.0 - (1.0 - offered) / paid)
    return share * mrr * min(MONTHS, max(0.0, months)) * min(1.0, max(0.0, taking))
