"""Decisions on effects that were learnt from draws: what they are worth, and whom they leave alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from serving.decisions.lift import believed_lifts
from serving.wilson import Z_90
from tests.serving.decisions.frames import action, catalogue, decide, frame, learnt, upgrade

if TYPE_CHECKING:
    from serving.decisions.decision import Decision


def fall(decision: Decision) -> str:
    """Return the rule by which the only action of the catalogue fell."""
    assert decision.winner is None
    return decision.refused[0].rule


def test_a_learnt_effect_is_worth_what_the_formula_says() -> None:
    """The value is margin * 12 * (lift_expand * extra MRR + lift_retain * MRR) - cost, with both errors."""
    effects = learnt("guide", retained=(0.05, 0.01), expanded=(0.1, 0.02))
    decision = decide(frame(**effects, extra_mrr_ratio=0.3), catalogue(action()))
    value = decision.winner.value
    assert value.extra_mrr == pytest.approx(120.0)
    assert value.amount == pytest.approx(0.5 * 12 * (0.1 * 120 + 0.05 * 400) - 2)
    spread = Z_90 * 0.5 * 12 * math.hypot(0.02 * 120, 0.01 * 400)
    assert (value.low, value.high) == pytest.approx((value.amount - spread, value.amount + spread))
    shown = decision.to_dict()
    assert shown["basis"] == shown["expected_value"]["basis"] == "uplift"
    assert shown["expected_value"]["lift_retain_interval_90"] == pytest.approx(
        [0.05 - Z_90 * 0.01, 0.05 + Z_90 * 0.01], abs=1e-6
    )
    assert shown["expected_value"]["margin"] == {"ratio": 0.5, "amount": pytest.approx(192.0)}
    assert shown["expected_value"]["lift_per_cost"] == {"retain": 0.025, "expand": 0.05}
    assert shown["expected_value"]["value_per_cost"] == pytest.approx(96.0)


def test_an_effect_is_found_by_the_key_and_else_by_the_type() -> None:
    """The action's own effect goes before that of its type, and another action's counts for nothing."""
    by_type = learnt("send_enablement_guide", retained=(0.05, 0.01))["effects"]
    by_key = learnt("guide", retained=(0.07, 0.01))["effects"]
    other = learnt("schedule_success_call", retained=(0.3, 0.01))["effects"]
    for effects, lift in ((by_type, 0.05), (by_key, 0.07), ({**by_type, **by_key}, 0.07), (other, 0.04)):
        value = decide(frame(effects=effects, effects_window_days=90), catalogue(action())).winner.value
        assert value.lift_retain == pytest.approx(lift)
        assert value.basis == ("prior" if effects is other else "uplift")


def test_what_was_not_learnt_is_the_catalogues_prior() -> None:
    """A column of the bundle that is a prior alone leaves the action to what the catalogue declares now."""
    decision = decide(frame(**learnt("guide", retained=(0.9, 0.001), basis="prior")), catalogue(action()))
    assert decision.winner.value.lift_retain == pytest.approx(0.1 * 0.4)
    assert decision.to_dict()["basis"] == "prior"


def test_a_value_that_rests_on_a_prior_in_part_says_so() -> None:
    """A learnt retention beside a declared expansion is no learnt value."""
    one = upgrade(priors={"expand": {"mean": 0.1, "sd": 0.02}})
    decision = decide(frame(**learnt("upgrade", retained=(0.05, 0.01))), catalogue(one))
    assert decision.winner.value.basis == "prior"
    assert decision.winner.value.lift_retain == pytest.approx(0.05)


def test_the_size_of_an_expansion_is_the_bundles_where_the_effect_is() -> None:
    """A learnt effect is on any expansion, so the bundle's amount goes with it; a prior goes with the price."""
    effects = learnt("upgrade", expanded=(0.1, 0.02))
    assert (
        decide(frame(**effects, extra_mrr_ratio=0.25), catalogue(upgrade())).winner.value.extra_mrr == 100.0
    )
    assert decide(frame(**effects), catalogue(upgrade())).winner.value.extra_mrr == 400.0
    assert decide(frame(extra_mrr_ratio=0.25), catalogue(upgrade())).winner.value.extra_mrr == 400.0


def test_nobody_is_kept_who_would_have_stayed() -> None:
    """A learnt effect is cut to the chance that is left, at the window that it was learnt for."""
    effects = learnt("guide", retained=(0.3, 0.01), expanded=(0.9, 0.01))
    chances = {
        "churn_probability": {"30d": 0.05, "60d": 0.07, "90d": 0.12},
        "upsell_probability": {"90d": 0.4},
    }
    (one,) = catalogue(action()).actions
    retain, expand = believed_lifts(frame(**effects, **chances), one)
    assert (retain.mean, retain.low, retain.high) == pytest.approx((0.12, 0.12, 0.12))
    assert (expand.mean, expand.high) == pytest.approx((0.6, 0.6))
    earlier = frame(**{**effects, **chances, "effects_window_days": 30})
    assert believed_lifts(earlier, one)[0].mean == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("effects", "changes", "rule"),
    [
        (learnt("guide", retained=(-0.05, 0.02)), {}, "sleeping_dog"),
        (learnt("guide", retained=(-0.05, 0.04)), {}, "lift_not_above_zero"),
        (learnt("guide", retained=(0.05, 0.04)), {}, "lift_not_above_zero"),
        (learnt("guide", retained=(0.0, 0.0)), {}, "lift_not_above_zero"),
        (
            learnt("guide", retained=(0.2, 0.01), expanded=(-0.05, 0.02)),
            {"extra_mrr_ratio": 0.1},
            "sleeping_dog",
        ),
        (learnt("guide", retained=(0.01, 0.02)), {"churn": 0.01}, "sure_thing"),
        (learnt("guide", retained=(0.01, 0.02)), {"churn": 0.97}, "lost_cause"),
        (learnt("guide", retained=(None, 0.02)), {}, "value_unknown"),
        (learnt("guide", retained=(0.2, None)), {}, "value_unknown"),
        (learnt("guide", retained=(0.0005, 0.0001)), {}, "not_worth_its_cost"),
    ],
)
def test_whom_an_action_does_not_help_is_left_alone(
    effects: dict[str, Any], changes: dict[str, Any], rule: str
) -> None:
    """Sure things, lost causes, sleeping dogs and doubtful effects fall by codes of their own, with a sentence."""
    decision = decide(frame(**effects, **changes), catalogue(action()))
    assert fall(decision) == rule
    assert decision.refused[0].stage == "uplift_and_value"
    assert len(decision.refused[0].text) > 20


@pytest.mark.parametrize(("churn", "upsell"), [(0.01, 0.3), (0.97, 0.3)])
def test_a_lift_that_was_surely_measured_makes_nobody_a_sure_thing_or_a_lost_cause(
    churn: float, upsell: float
) -> None:
    """Where draws show that the action helps such accounts, their probability is no reason against it."""
    effects = learnt("guide", retained=(0.02, 0.005))
    one = decide(frame(**effects, churn=churn, upsell_probability={"90d": upsell}), catalogue(action()))
    assert one.winner is not None


@pytest.mark.parametrize(("churn", "code"), [(0.01, "sure_thing"), (0.97, "lost_cause")])
def test_a_prior_that_few_draws_moved_measures_nothing(churn: float, code: str) -> None:
    """The same numbers that are a measured lift where draws outweigh the prior are none where they do not."""
    for basis, rule in (("uplift", None), ("blend", code)):
        effects = learnt("guide", retained=(0.02, 0.005), basis=basis)
        found = decide(frame(**effects, churn=churn, upsell_probability={"90d": 0.3}), catalogue(action()))
        assert (None if found.winner else fall(found)) == rule


def test_a_prior_that_draws_moved_keeps_its_numbers_and_says_that_it_is_a_prior() -> None:
    """What draws moved goes before what the catalogue declares, and is not called learnt."""
    effects = learnt("guide", retained=(0.05, 0.01), basis="blend")
    value = decide(frame(**effects), catalogue(action())).winner.value
    assert (value.lift_retain, value.basis) == (pytest.approx(0.05), "prior")
    assert value.lift_retain_90 == pytest.approx((0.05 - Z_90 * 0.01, 0.05 + Z_90 * 0.01))


def test_levers_rank_and_are_shown_apart() -> None:
    """A lever of 3 lifts the lesser action to the top; the amounts in money stay what they are."""
    small = action("small", levers={"strategy": 3.0, "launch": 1.5})
    large = action("large", priors={"retain": {"mean": 0.2, "sd": 0.01}})
    decision = decide(frame(), catalogue(small, large))
    assert decision.winner.action.key == "small"
    alone = decide(frame(), catalogue(action("small"))).winner.value
    shown = decision.to_dict()["expected_value"]
    assert shown["amount"] == round(alone.amount, 2)
    assert shown["levers"] == {"strategy": 3.0, "launch": 1.5}
    assert shown["ranked_by"] == pytest.approx(4.5 * alone.amount, abs=0.01)


def test_a_discount_is_paid_to_all_who_stay() -> None:
    """Ten percent off for a year cost a tenth of the revenue of those who stay; a shorter term costs less."""
    offer = {"discount_ratio": 0.1, "term_months": 12}
    effects = learnt("guide", retained=(0.2, 0.01))
    whole = decide(frame(**effects), catalogue(action(parameters=offer))).winner.value
    assert whole.expected_discount == pytest.approx(0.1 * 400 * 12 * (0.6 + 0.2))
    assert whole.amount == pytest.approx(0.5 * 12 * 400 * 0.2 - 2 - whole.expected_discount)
    short = action(parameters={**offer, "term_months": 3})
    assert decide(frame(**effects), catalogue(short)).winner.value.expected_discount == pytest.approx(96.0)
    paying_less = frame(**effects, features={"discount_ratio": 0.1})
    assert decide(paying_less, catalogue(action(parameters=offer))).winner.value.expected_discount == 0.0


def test_a_decision_for_nothing_says_whether_there_was_anything_learnt() -> None:
    """With all actions refused the basis tells whether learnt effects were looked at."""
    nothing = decide(frame(**learnt("guide", retained=(-0.1, 0.01))), catalogue(action()))
    assert (nothing.winner, nothing.basis) == (None, "uplift")
    assert decide(frame(evidence_status="thin"), catalogue(action())).basis == "prior"


def test_the_outlook_is_part_of_the_decisions_id() -> None:
    """Other effects, another size of expansion or another trajectory make another decision."""
    frames = [
        frame(),
        frame(**learnt("guide", retained=(0.05, 0.01))),
        frame(**learnt("guide", retained=(0.05, 0.02))),
        frame(extra_mrr_ratio=0.2),
        frame(trajectory={"improving": 0.1, "stable": 0.8, "declining": 0.1}),
    ]
    assert len({decide(one, catalogue(action())).decision_id for one in frames}) == len(frames)


def test_without_levers_an_action_is_ranked_by_its_amount() -> None:
    """Nothing but the money counts where the business says nothing else."""
    value = decide(frame(), catalogue(action())).winner.value
    assert value.levers == {}
    assert value.ranked_by == value.amount
