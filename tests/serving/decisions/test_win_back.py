"""Decisions about accounts that have left: what winning them back is worth, and that nothing else is done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from serving.decisions.caps import CapUses
from serving.decisions.catalogue import PACKAGED_CATALOGUE, load_catalogue
from serving.decisions.frame_json import frame_json, parse_frame
from serving.wilson import Z_90
from tests.serving.decisions.frames import POLICY, action, catalogue, decide, frame, learnt, leaver

if TYPE_CHECKING:
    from serving.decisions.decision import Decision
    from serving.decisions.frame import DecisionFrame

PACKAGED = load_catalogue(PACKAGED_CATALOGUE)
BACK = {"audience": "left", "priors": {"win_back": {"mean": 0.04, "sd": 0.01}}}


def fallen(decision: Decision) -> dict[str, str]:
    """Return by action the rule by which it fell."""
    return {refusal.action: refusal.rule for refusal in decision.refused}


def used(one: DecisionFrame, *keys: str) -> dict[str, int]:
    """Return what is used of caps once the account was given each of the packaged actions *keys* once."""
    uses: dict[str, int] = {}
    for key in keys:
        for use in CapUses(POLICY.document.caps).of(PACKAGED.actions_by_key[key], one.account_id, one.lane):
            uses[use.key] = uses.get(use.key, 0) + use.amount
    return uses


def test_an_account_that_has_left_is_only_offered_what_wins_back() -> None:
    """Every action for subscribers falls by having no subscription; the best of the others comes by its uplift."""
    decision = decide(leaver(), PACKAGED)
    assert decision.winner is not None
    assert decision.winner.action.key == "win_back_call"
    assert [one.action.key for one in decision.alternatives] == ["whats_new_mail"]
    assert {rule for key, rule in fallen(decision).items() if not PACKAGED.actions_by_key[key].wins_back} == {
        "no_active_subscription"
    }


def test_an_account_with_a_subscription_is_not_won_back() -> None:
    """All actions for accounts that have left fall by the subscription that there is."""
    rules = fallen(decide(frame(), PACKAGED))
    assert {rules[one.key] for one in PACKAGED.actions if one.wins_back} == {"has_subscription"}


def test_the_value_is_the_revenue_that_it_had_as_far_as_it_comes_back() -> None:
    """Margin times twelve months of the MRR at its end times the lift, less cost; other lifts count for nothing."""
    value = decide(leaver(), catalogue(action(**BACK))).winner.value
    assert value.amount == pytest.approx(0.5 * 12 * 400 * 0.04 - 2)
    spread = 0.5 * 12 * 400 * Z_90 * 0.01
    assert (value.low, value.high) == pytest.approx((value.amount - spread, value.amount + spread))
    shown = value.to_dict()
    assert shown["basis"] == "prior"
    assert (shown["lift_return"], shown["mrr_back"]) == (0.04, 400.0)
    assert (shown["lift_retain"], shown["lift_expand"], shown["extra_mrr"]) == (0, 0, 0)
    assert shown["lift_per_cost"]["return"] == pytest.approx(0.02)
    assert "lift_return" not in decide(frame(), catalogue(action())).winner.value.to_dict()


def test_an_effect_on_coming_back_that_was_learnt_goes_before_the_prior() -> None:
    """The bundle's effect on `returned` counts, of the key or the type; one on `retained` says nothing of leavers."""
    told = learnt("send_enablement_guide", returned=(0.06, 0.005), retained=(0.9, 0.001))
    value = decide(leaver(back=0.1, **told), catalogue(action(**BACK))).winner.value
    assert (value.lift_return, value.basis) == (pytest.approx(0.06), "uplift")
    blend = learnt("guide", returned=(0.05, 0.005), basis="blend")
    assert decide(leaver(**blend), catalogue(action(**BACK))).to_dict()["basis"] == "prior"


def test_a_prior_does_not_more_than_double_the_chance_to_come_back() -> None:
    """Four points are believed of an account that comes back with 4 % or more, and half a point of one with 0.5 %."""
    for back, lift in ((None, 0.04), (0.2, 0.04), (0.04, 0.04), (0.005, 0.005)):
        value = decide(leaver(back=back), catalogue(action(**BACK))).winner.value
        assert value.lift_return == pytest.approx(lift)
        assert value.lift_return_90[0] == pytest.approx(lift * (1 - Z_90 * 0.25))
    assert fallen(decide(leaver(back=0.0), catalogue(action(**BACK)))) == {"guide": "lost_cause"}


def test_a_lift_can_not_bring_back_more_than_stay_away() -> None:
    """Of an account that comes back with 97 % no more than 3 points are left to a measured effect."""
    told = learnt("guide", returned=(0.06, 0.005))
    decision = decide(leaver(back=0.97, **told), catalogue(action(**BACK)))
    assert decision.winner.value.lift_return == pytest.approx(0.03)


def test_what_surely_keeps_accounts_away_is_not_done() -> None:
    """A measured effect below zero refuses the action by name."""
    decision = decide(leaver(**learnt("guide", returned=(-0.05, 0.01))), catalogue(action(**BACK)))
    assert fallen(decision) == {"guide": "sleeping_dog"}
    assert "to come back" in decision.refused[0].text


def test_without_the_revenue_at_its_end_there_is_no_value() -> None:
    """Where the features lack `mrr_at_end` nobody can tell what winning back is worth."""
    decision = decide(leaver(features={"mrr_at_end": None}), catalogue(action(**BACK)))
    assert fallen(decision) == {"guide": "value_unknown"}


def test_a_small_account_is_written_to_and_not_called() -> None:
    """What a call costs is more than a small account would bring."""
    decision = decide(
        leaver(features={"mrr_at_end": 49.0, "plan_at_end": "starter", "seats_at_end": 5}), PACKAGED
    )
    assert decision.winner.action.key == "whats_new_mail"
    assert fallen(decision)["win_back_call"] == "not_worth_its_cost"


def test_a_lower_price_waits_until_all_else_had_its_chance() -> None:
    """The return offer falls behind call and mail; once both were had it is what is left, and that once."""
    assert fallen(decide(leaver(), PACKAGED))["return_offer"] == "non_discount_first"
    had = used(leaver(), "win_back_call", "whats_new_mail")
    decision = decide(leaver(caps_used=had), PACKAGED)
    assert decision.winner.action.key == "return_offer"
    value = decision.winner.value
    assert value.expected_discount == pytest.approx(0.15 * 400 * 3 * 0.04)
    again = decide(leaver(caps_used=used(leaver(), "win_back_call", "return_offer")), PACKAGED)
    assert again.winner.action.key == "whats_new_mail"
    assert fallen(again)["return_offer"] == "return_offer_a_half_year"


def test_the_discount_is_counted_for_those_who_come_back_anyway_too() -> None:
    """With a known chance to return all who return take the lower price."""
    had = used(leaver(), "win_back_call", "whats_new_mail")
    value = decide(leaver(back=0.1, caps_used=had), PACKAGED).winner.value
    assert value.expected_discount == pytest.approx(0.15 * 400 * 3 * 0.14)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"consent_phone": False, "consent_email": False}, "no_consent"),
        ({"days_since_end": 29.0}, "not_to_be_won_back"),
        ({"days_since_end": 366.0}, "not_to_be_won_back"),
        ({"days_since_end": None}, "never_left"),
        ({"preferred_channel": "none"}, "no_marketing"),
    ],
)
def test_win_back_heeds_the_policy_as_all_else_does(changes: dict[str, object], rule: str) -> None:
    """Without consent, before the grace days have passed, after a year, or unwanted, nothing is done."""
    decision = decide(leaver(features=changes), PACKAGED)
    assert decision.winner is None
    assert {fallen(decision)[key] for key in ("win_back_call", "whats_new_mail")} == {rule}


def thin(*reasons: str, as_of: str | None = "2026-03-01T00:00:00Z") -> dict[str, Any]:
    """Return changes to a frame: evidence that is thin for *reasons*, with one view of *as_of*."""
    views = {"peers": {"as_of": as_of, "age_seconds": 0, "limit_seconds": 1}}
    return {
        "evidence_status": "thin",
        "evidence": {"status": "thin", "reasons": list(reasons), "views": views},
    }


def test_being_unlike_accounts_with_a_subscription_does_not_count_against_a_leaver() -> None:
    """Evidence that is thin only for what having left means bears win-back, and the decision lasts its hours."""
    doubts = thin("missing_view", "unlike_training", "failed_check")
    decision = decide(leaver(**doubts), PACKAGED)
    assert decision.winner.action.key == "win_back_call"
    assert decision.valid_until > decision.decided_at
    assert set(fallen(decide(frame(**doubts), PACKAGED)).values()) == {"evidence_thin"}


@pytest.mark.parametrize(
    "doubts", [thin("missing_view", as_of=None), thin("unknown_age"), thin("new_account")]
)
def test_a_leaver_of_whom_too_little_is_known_is_left_alone(doubts: dict[str, Any]) -> None:
    """A view without any row, and an account that is new or of unknown age, stop win-back too."""
    decision = decide(leaver(**doubts), PACKAGED)
    assert set(fallen(decision).values()) == {"evidence_thin"}
    assert decision.valid_until == decision.decided_at


def test_the_frame_of_a_leaver_is_kept_for_replay() -> None:
    """Its JSON holds the chance to return and gives the same frame; of other accounts it does not speak of it."""
    one = leaver(back=0.1)
    assert parse_frame(frame_json(one)) == one
    assert b"winback_probability" not in frame_json(frame())
    assert one.return_within_window == pytest.approx(0.1)
    assert one.number("winback_probability_30d") == pytest.approx(0.1 / 3)
    assert (one.plan, one.seats) == ("team", 20.0)
