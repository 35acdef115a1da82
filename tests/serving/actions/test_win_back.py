"""Winning accounts back is previewed, applied and undone as every other action; what is at stake is what they paid."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from serving.actions import outbox
from serving.actions.errors import Refused
from serving.actions.projection import outlay, projection
from serving.actions.receipts import read_receipt, roll_back
from serving.actions.simulate import simulate_action
from serving.actions.types import draft
from serving.wilson import Z_90
from tests.serving.actions.worlds import CATALOGUE, FITTING, RULES, account, applied, later, simulated
from tests.serving.decisions.frames import LEFT, NOON_UTC, learnt, leaver

if TYPE_CHECKING:
    from serving.decisions.frame import DecisionFrame
    from serving.ledger.ledger import Ledger

CALL, MAIL, OFFER = "win_back_call", "whats_new_mail", "return_offer"
WANTS_NEITHER = {"rejected": dict.fromkeys((CALL, MAIL), NOON_UTC + dt.timedelta(days=30))}
"""What needs no discount had its chance."""


def gone(**changes: Any) -> DecisionFrame:
    """Return the frame of an account that has left and reads German."""
    return leaver(features={**FITTING, **LEFT}, **changes)


def previewed(key: str, one: DecisionFrame) -> dict[str, Any]:
    """Return the simulation of the packaged action *key* on *one*."""
    return simulate_action(draft(RULES.situation(one, key)), one, RULES)


def test_a_preview_tells_what_comes_back() -> None:
    """MRR is the lift on coming back times what the account paid; nothing is said of its staying."""
    one = gone(back=0.1, **learnt(CALL, returned=(0.05, 0.01)))
    shown = previewed(CALL, one)
    assert shown["allowed"]
    projected = shown["projection"]
    assert projected["incremental_mrr"]["mean"] == pytest.approx(0.05 * 400)
    spread = Z_90 * 0.01 * 400
    assert projected["incremental_mrr"]["interval_90"] == pytest.approx([20 - spread, 20 + spread], abs=0.01)
    assert projected["margin_year"]["mean"] == pytest.approx(0.8 * 12 * 20 - 60)
    assert projected["win_back"] == {
        "accounts": 1,
        "accounts_back": {
            "mean": 0.05,
            "interval_90": pytest.approx([0.05 - Z_90 * 0.01, 0.05 + Z_90 * 0.01], abs=1e-6),
        },
        "mrr": 400.0,
    }
    assert projected["churn_risk"]["with"]["mean"] == projected["churn_risk"]["without"]
    assert projected["basis"] == "uplift"


def test_a_list_of_both_kinds_adds_up() -> None:
    """Keeping one account and winning back another bring what each brings; only leavers count as such."""
    stays, left = account(), gone()
    both = [("success_call", stays), (CALL, left)]
    outlays = [outlay(draft(RULES.situation(one, key)), RULES.situation(one, key)) for key, one in both]
    each = [projection([one], 0.8, "USD") for one in outlays]
    together = projection(outlays, 0.8, "USD")
    for name in ("incremental_mrr", "margin_year"):
        assert together[name]["mean"] == pytest.approx(sum(one[name]["mean"] for one in each), abs=0.02)
    assert together["win_back"]["accounts"] == 1
    assert "win_back" not in each[0]


def test_the_offer_is_a_price_of_the_plan_that_it_had() -> None:
    """Team with 20 seats costs 259; once call and mail were not wanted, 15 % less may be asked."""
    assert not previewed(OFFER, gone())["allowed"]
    shown = previewed(OFFER, gone(**WANTS_NEITHER))
    assert shown["allowed"]
    assert shown["action"]["item"] == "team"
    assert shown["action"]["list_price"]["amount_minor"] == 25_900
    assert shown["action"]["price"]["amount_minor"] == round(25_900 * 0.85)
    assert shown["price_band"]["floor"] <= 259 * 0.85 <= shown["price_band"]["ceiling"]
    assert "Kommen Sie zurück zu Team" in shown["message"]["text"]
    assert "auto_renewal" in shown["disclosures"]


def test_the_discount_is_given_away_only_as_far_as_the_account_comes_back() -> None:
    """Three months at 15 % less, times the chance that it comes back with the offer."""
    one = RULES.situation(gone(back=0.1), OFFER)
    action = draft(one)
    in_full = action.give_away(one)
    assert in_full == pytest.approx(259 * 0.15 * 3, abs=0.05)
    assert outlay(action, one).give_away == pytest.approx(in_full * 0.14)


def test_what_an_account_paid_must_be_known_for_anything_to_be_at_stake() -> None:
    """Without `mrr_at_end` nothing is counted, and without a number from the bundle neither."""
    assert previewed(CALL, gone())["projection"]["incremental_mrr"]["mean"] == pytest.approx(0.03 * 400)
    unknown = leaver(features={**FITTING, **LEFT, "mrr_at_end": None})
    assert previewed(CALL, unknown)["projection"]["incremental_mrr"]["mean"] == 0
    missing = gone(**learnt(CALL, returned=(None, None)))
    assert previewed(CALL, missing)["projection"]["incremental_mrr"]["mean"] == 0


@pytest.mark.parametrize("key", [one.key for one in CATALOGUE.actions if one.wins_back])
async def test_it_is_applied_and_undone_as_every_other_action(ledger: Ledger, key: str) -> None:
    """A receipt with what was checked, an effect in the outbox; undone, the effect never leaves."""
    now = gone(**(WANTS_NEITHER if key == OFFER else {}))
    source = await simulated(ledger, key, now)
    receipt = orjson.loads(await applied(ledger, source, now))
    assert receipt["action"]["account_id"] == now.account_id
    assert (await ledger.look(outbox.counts))["pending"] == 1
    at = now.now + dt.timedelta(minutes=1)
    await roll_back(ledger, receipt["receipt_id"], receipt["rollback_token"], "ann", at, reason=None)
    assert (await ledger.look(outbox.counts))["pending"] == 0
    assert (await read_receipt(ledger, receipt["receipt_id"]))["rollback"] is not None


async def test_an_account_that_came_back_in_between_is_left_in_peace(ledger: Ledger) -> None:
    """Policy is asked again when it is applied: who has a subscription now is not won back."""
    source = await simulated(ledger, CALL, gone())
    with pytest.raises(Refused, match="has a subscription"):
        await applied(ledger, source, later(account(), minutes=1))


def test_what_is_for_subscribers_can_be_previewed_and_is_refused() -> None:
    """A person may ask for any action on an account that has left: each is written out by the terms that it had."""
    for key in ("add_seats", "upgrade_to_next_plan", "renewal_offer", "success_call"):
        shown = previewed(key, gone())
        assert not shown["allowed"]
        assert "active_subscription" in {check["rule"] for check in shown["checks"] if not check["passed"]}
