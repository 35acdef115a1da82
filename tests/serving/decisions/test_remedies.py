"""A discount waits while a remedy without one fits the account."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from serving.decisions.arms import CONTROL_ARMS
from serving.decisions.candidates import standing
from serving.decisions.frame import Effect
from tests.serving.decisions.frames import NOON_UTC, action, catalogue, decide, frame, learnt
from tests.serving.decisions.test_arms import SHARES, account_in, policy_of

if TYPE_CHECKING:
    from serving.decisions.arms import Arm

NIGHT = NOON_UTC.replace(hour=23)
DISCOUNT = action(
    "offer", type="annotate_account", channel="internal", priors={"retain": {"mean": 0.4, "sd": 0.02}},
    parameters={"discount_ratio": 0.05},
)  # fmt: skip
BOTH = catalogue(action("guide"), DISCOUNT)
ASKS, DOES_NOT_ASK = policy_of(SHARES, non_discount_first=True), policy_of(SHARES, non_discount_first=False)


def fate(policy: Any = ASKS, plans: Any = BOTH, **changes: Any) -> str:
    """Return by what rule the discount falls, or that it stands."""
    one = frame(account_id=account_in("full"), **changes)
    fault = standing(one, plans, policy, plans.actions_by_key["offer"])
    return "stands" if fault is None else fault.rule


@pytest.mark.parametrize("arm", ["full", *CONTROL_ARMS])
def test_a_discount_waits_in_every_arm(arm: Arm) -> None:
    """It has no chance beside the remedy, which the refusal names; without one, or if nobody asks, it has."""
    name = account_in(arm)
    decision = decide(frame(account_id=name), BOTH, ASKS)
    refusal = next(one for one in decision.refused if one.action == "offer")
    assert (refusal.stage, refusal.rule) == ("arbitration", "non_discount_first")
    assert BOTH.actions_by_key["guide"].title in refusal.text
    assert decision.draw is not None
    assert "offer" not in decision.draw.chances
    assert refusal.safer_alternative == (decision.winner.action.key if decision.winner else None)
    for plans, plan in ((catalogue(DISCOUNT), ASKS), (BOTH, DOES_NOT_ASK)):
        draw = decide(frame(account_id=name), plans, plan).draw
        assert draw is not None
        assert draw.chances["offer"] > 0


def test_what_keeps_a_remedy_back_for_now_does_not_let_the_discount_through() -> None:
    """Quiet hours, a missing consent or an unknown effect of the remedy are no reason to lower a price."""
    for changes in (
        {"now": NIGHT},
        {"features": {"consent_email": False}},
        {"effects": {"guide": {"retained": Effect(None, None, "uplift")}}, "effects_window_days": 90},
    ):
        assert fate(**changes) == "non_discount_first", changes


def test_a_remedy_that_does_not_fit_lets_it_through() -> None:
    """Rejected, never to be had, without effect, of another aim, or in shadow: then there is nothing to wait for."""
    rejected = {"rejected": {"guide": NOON_UTC + dt.timedelta(days=3)}}
    for changes in (rejected, learnt("guide", retained=(0.0, 0.1)), {"autonomy": {"guide": "shadow"}}):
        assert fate(**changes) == "stands", changes
    for guide in (
        action("guide", requires={"plans": ["business"]}),
        action("guide", requires={"all": [{"feature": "adoption_ratio", "at_least": 0.9}]}),
        action(
            "guide", priors={"expand": {"mean": 0.2, "sd": 0.02}}, extra_mrr={"rule": "fixed", "amount": 90}
        ),
    ):
        assert fate(plans=catalogue(guide, DISCOUNT)) == "stands", guide


def test_a_remedy_that_was_tried_as_often_as_caps_allow_lets_it_through() -> None:
    """The cap of the remedy's channel is used up; the discount goes by another one."""
    name = account_in("full")
    assert fate(caps_used={f"mails_a_week|email|{name}": 2}) == "stands"
