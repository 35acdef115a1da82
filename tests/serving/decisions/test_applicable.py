"""What is proposed can be applied: whatever account, prices and contracts, the draft of a proposal has no fault."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.actions.checks import stopping, verdicts
from serving.actions.types import Situation, draft
from serving.decisions.catalogue import Catalogue, load_catalogue
from serving.decisions.frame import DecisionFrame, Effect
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PolicyDocument, load_policy
from serving.decisions.pricing import PRICED_TYPES, Terms, quote_of
from tests.serving.decisions.frames import FIELDS, LEFT, NOON_UTC, POLICY, decide, frame, leaver
from tests.serving.decisions.strategies import FITTING, PACKAGED, learnt_frames, texts

if TYPE_CHECKING:
    from serving.decisions.decision import Decision, Proposal

OPEN = Policy(
    PolicyDocument.model_validate(
        load_policy().model_dump(mode="json")
        | {"holdouts": {"salt": "x", "share": 0.0}, "arms": {}, "non_discount_first": False}
    ),
    FIELDS,
)
"""The packaged rules alone: nobody is held out, and a discount need not wait."""
BANDS: list[list[tuple[str, ...]]] = [[()], [()], [("europe",)], [(), ("latin_america",)], []]
"""In which regions an item has bands."""
ratios = st.floats(0.0, 0.6) | st.sampled_from([0.0, 0.1, 0.2, 0.25])
buyers = st.builds(
    lambda values, now, effect, surface, churn: frame(
        features={**FITTING, **values},
        churn=churn,
        now=NOON_UTC + dt.timedelta(hours=now),
        effects={
            action.type: {"retained": Effect(effect, 0.001, "uplift", "x", 900)}
            for action in PACKAGED.actions
        },
        effects_window_days=90,
        surface=surface,
    ),
    st.fixed_dictionaries(
        {
            "plan": st.sampled_from(["starter", "team", "team", "business", "business", "enterprise"]),
            "seats": st.integers(1, 60) | st.integers(0, 400) | st.floats(0.5, 40.5),
            "mrr": st.floats(1e4, 1e6),
            "discount_ratio": st.none() | ratios | ratios | st.floats(-1, 2),
            "region": st.sampled_from(["europe", "europe", "latin_america"]) | texts["region"],
            "locale": st.sampled_from(["de-DE", "en-US"]) | texts["locale"],
            "segment": texts["segment"],
            "timezone": st.just("Europe/Berlin") | texts["timezone"],
            "quiet_hours_start": st.integers(18, 23) | st.integers(0, 23),
            "quiet_hours_end": st.integers(0, 8) | st.integers(0, 23),
            "adoption_ratio": st.sampled_from([0.2, 0.9, 0.9]),
        }
    ),
    st.integers(0, 5) | st.integers(0, 24 * 40),
    st.floats(0.05, 0.3),
    st.sampled_from([None, None, None, "in_app", "email", "account_card"]),
    st.sampled_from([0.38, 0.38, 0.45]),
)
"""Accounts that most actions are worth proposing to, on any terms, anywhere, at any time."""
gone = st.builds(
    lambda one, plan, seats, mrr: dataclasses.replace(
        one,
        features={**one.features, **LEFT, "plan_at_end": plan, "seats_at_end": seats, "mrr_at_end": mrr},
        effects={
            action.type: {"returned": Effect(0.1, 0.001, "uplift", "x", 900)}
            for action in PACKAGED.actions
            if action.wins_back
        },
    ),
    buyers,
    st.sampled_from([None, "starter", "team", "team", "business", "enterprise"]),
    st.none() | st.integers(0, 400),
    st.floats(1e4, 1e6),
)
"""The same after they left, on the terms that they had then."""


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Return the packaged catalogue with other prices, bands, margins, stock, discounts and languages."""
    content: dict[str, Any] = load_catalogue().model_dump(mode="json")
    content["margin_min_ratio"] = draw(st.sampled_from([0.0, 0.5, 0.8]))
    content["currency"] = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    bands = []
    for item in (*content["plans"], *content["add_ons"]):
        item["mrr_list"] = draw(st.floats(5, 3000).map(lambda price: round(price, 2)))
        item["unit_cost"] = item["mrr_list"] * 0.07
    parts = {one["key"]: one for one in content["add_ons"]}
    for bundle in content["bundles"]:
        listed = sum(parts[key]["mrr_list"] for key in bundle["add_ons"]) * (1.0 - bundle["discount_ratio"])
        bundle["plans"] = draw(st.sampled_from([[], ["team", "business"]]))
        bands.append((bundle["key"], listed))
    parts["sso"]["stock"] = draw(st.sampled_from([None, 0, 3]))
    bands += [(plan["key"], plan["mrr_list"]) for plan in content["plans"]]
    content["price_bands"] = []
    room = 0.3
    for key, listed in bands:
        for regions in draw(st.sampled_from(BANDS)):
            factor = draw(st.sampled_from([1.0, 1.0, 0.6]))
            low = draw(st.floats(0.75, 1.0))
            room = min(room, 1.0 - low)
            advertised = draw(st.sampled_from([None, None, listed * factor * (low + 1) / 2]))
            content["price_bands"].append(
                {
                    "item": key, "regions": list(regions), "list_factor": factor, "floor": listed * factor * low,
                    "ceiling": listed * factor * 1.1, "advertised_min": advertised,
                }
            )  # fmt: skip
    for action in content["actions"]:
        if "discount_ratio" in action["parameters"]:
            action["parameters"]["discount_ratio"] = draw(st.floats(0.0, room))
        action["regions"] = draw(st.sampled_from([[], [], [], ["europe"]]))
    for words in draw(st.sampled_from([[], content["disclosures"], content["templates"]])):
        words["own_language"] = True
    return Catalogue.model_validate(content)


def proposals(decision: Decision) -> list[Proposal]:
    """Return what stands, best first."""
    return [one for one in (decision.winner, *decision.alternatives) if one is not None]


def require_applicable(one: DecisionFrame, catalogue: Catalogue, policy: Policy) -> int:
    """Insist that each proposal can be written out, has no fault and passes every check; return how many there are."""
    found = proposals(decide(one, catalogue, policy))
    for proposal in found:
        situation = Situation(one, catalogue, proposal.action)
        action = draft(situation)
        assert action.every_fault(situation) == []
        assert stopping(verdicts(action, situation, policy)) == []
    return len(found)


@settings(max_examples=80, deadline=None)
@given(buyers | gone)
def test_what_the_packaged_policy_proposes_can_be_applied(one: DecisionFrame) -> None:
    """Terms, place, language and time of an account never lead to a proposal that would be refused when applied."""
    require_applicable(one, PACKAGED, OPEN)


@settings(max_examples=40, deadline=None)
@given(learnt_frames)
def test_no_frame_leads_to_a_proposal_that_can_not_be_applied(one: DecisionFrame) -> None:
    """The same holds for frames of which any part may be anything."""
    require_applicable(one, PACKAGED, POLICY)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(buyers | gone, catalogues())
def test_no_prices_lead_to_a_proposal_that_can_not_be_applied(
    one: DecisionFrame, catalogue: Catalogue
) -> None:
    """The same holds for any prices, bands by region, margins, discounts, stock and languages of words."""
    require_applicable(one, catalogue, OPEN)


def test_most_actions_do_come_to_be_proposed() -> None:
    """The tests above are about something: accounts like theirs get eight of the actions, and all that win back."""
    seen: set[str] = set()
    for values in ({}, {"adoption_ratio": 0.9}, {"days_to_term_end": 30, "adoption_ratio": 0.2}):
        one = frame(
            features={**FITTING, **values, "mrr": 1e5},
            churn=0.45,
            effects={
                action.type: {"retained": Effect(0.2, 0.001, "uplift", "x", 900)}
                for action in PACKAGED.actions
            },
            effects_window_days=90,
        )
        seen |= {proposal.action.key for proposal in proposals(decide(one, PACKAGED, OPEN))}
    assert len(seen) >= 8
    left = leaver(features={**LEFT, "mrr_at_end": 1e5})
    back = {proposal.action.key for proposal in proposals(decide(left, PACKAGED, OPEN))}
    assert back == {one.key for one in PACKAGED.actions if one.wins_back}


@settings(max_examples=60, deadline=None)
@given(
    buyers | gone,
    st.sampled_from(["mrr", "mrr_at_end", "adoption_ratio", "segment", "locale", "timezone"]),
    st.floats(0, 1),
)
def test_the_same_offer_costs_comparable_accounts_the_same(
    one: DecisionFrame, name: str, churn: float
) -> None:
    """A price follows from plan, seats, region and present discount alone: nothing else that is known moves it."""
    other = dataclasses.replace(
        one, account_id="other", features={**one.features, name: None}, churn_probability={"90d": churn}
    )
    for action in PACKAGED.actions:
        prices = {POLICY.about(each, PACKAGED).about(action).value("offer_price") for each in (one, other)}
        assert len(prices) == 1


@settings(max_examples=60, deadline=None)
@given(
    buyers,
    ratios,
    ratios,
    st.sampled_from([action for action in PACKAGED.actions if action.type in PRICED_TYPES]),
)
def test_two_accounts_alike_are_never_asked_prices_too_far_apart(
    one: DecisionFrame, first: float, second: float, action: Any
) -> None:
    """Of two accounts with the same plan, seats and region, no price that passes lies a quarter under the other."""
    asked: list[tuple[float, float]] = []
    for discount in (first, second):
        each = dataclasses.replace(one, features={**one.features, "discount_ratio": discount})
        check = POLICY.about(each, PACKAGED).about(action)
        if check.first_fault(("commercial_policy",)) is None:
            price, listed = check.value("offer_price"), check.value("offer_list_price")
            assert isinstance(price, float)
            assert isinstance(listed, float)
            asked.append((price, listed))
    for price, listed in asked:
        assert asked[0][0] - price <= 0.25 * listed + 0.01


def test_a_factor_of_a_region_is_in_every_price_there() -> None:
    """List price, offer and upgrade are multiplied by the band's factor for the account's region, and only there."""
    content = PACKAGED.model_dump(mode="json")
    content["price_bands"].append(
        {"item": "business", "regions": ["latin_america"], "list_factor": 0.6, "floor": 430, "ceiling": 650}
    )
    catalogue = Catalogue.model_validate(content)
    action = catalogue.actions_by_key["upgrade_to_next_plan"]
    team = catalogue.plans_by_key["team"]
    here, there = (
        quote_of(catalogue, action, Terms(team, 20, 0.0, region)) for region in ("europe", "latin_america")
    )
    assert here is not None
    assert there is not None
    assert (here.asked.price, there.asked.price) == (899.0, 899.0 * 0.6)
    assert (here.limits.floor, there.limits.floor) == (71_900, 43_000)
