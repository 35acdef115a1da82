"""A table of cases for the rules that the packaged catalogue can't break: each limit from both sides."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from serving.decisions.catalogue import Catalogue
from serving.decisions.policy.cases import PACKAGED_CASES, load_cases, run_cases
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PolicyDocument, load_policy
from serving.decisions.policy.stages import RULE_STAGES
from serving.errors import PolicyError
from tests.serving.decisions.frames import FIELDS, POLICY, action, document, frame, upgrade
from tests.serving.decisions.strategies import PACKAGED

OFFER = action(
    "offer", type="propose_offer_within_bands", channel="email", parameters={"discount_ratio": 0.1}
)
PACK = {**upgrade(type="create_bundle_within_policy", parameters={"bundle": "pack"}), "key": "pack"}
PACK["extra_mrr"] = {"rule": "fixed", "amount": 50}
ADD_ONS = [
    {"key": "sso", "name": "SSO", "mrr_list": 30, "unit_cost": 3, "stock": 1},
    {"key": "log", "name": "Log", "mrr_list": 20, "unit_cost": 3, "plans": ["team"]},
]
BAND = {"item": "team", "floor": 80, "ceiling": 120}
WORDS = {"key": "renewal", "texts": {"en-US": "It renews.", "de-DE": "Es wird verlängert."}}


def sold(
    *, parts: list[dict[str, Any]] | None = None, bundle: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return changes to a catalogue: it sells a bundle of two add-ons, with these *parts* or *bundle* details."""
    pack = {"key": "pack", "name": "Pack", "add_ons": ["sso", "log"], **(bundle or {})}
    return {"add_ons": parts or ADD_ONS, "bundles": [pack]}


def offer(ratio: float) -> dict[str, Any]:
    """Return an offer at a discount."""
    return {**OFFER, "parameters": {"discount_ratio": ratio}}


def found(
    one: dict[str, Any],
    catalogue: dict[str, Any],
    features: dict[str, Any] | None = None,
    policy: Policy = POLICY,
    **changes: Any,
) -> str:
    """Return which rule stops the action *one* of a catalogue with these parts, or `passes`."""
    plans = Catalogue.model_validate({**document(one), **catalogue})
    one_frame = frame(features=features, **changes)
    fault = policy.about(one_frame, plans).about(plans.actions[0]).first_fault(RULE_STAGES)
    return "passes" if fault is None else str(fault.policy_rule)


CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("plan_entitled", action(requires={"plans": ["team"]}), {}, {}, {"plan": "business"}),
    ("enough_seats", action(requires={"seats_min": 20}), {}, {}, {"seats": 19}),
    ("incident_known", action(), {}, {}, {"incident_active": None}),
    ("action_in_region", action(regions=["europe"]), {}, {}, {"region": "asia"}),
    ("action_in_region", action(regions=["europe"]), {}, {}, {"region": None}),
    ("sold_beside_the_plan", PACK, sold(), {}, {"plan": "business"}),
    ("price_in_band", OFFER, {"price_bands": [BAND]}, {}, {"plan": "business"}),
]
"""Rule, action, changes to the catalogue; features with which the action passes, and with which the rule stops it."""


@pytest.mark.parametrize(("rule", "one", "catalogue", "good", "bad"), CASES)
def test_one_fact_of_the_account_makes_the_difference(
    rule: str, one: dict[str, Any], catalogue: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    """The action passes with the one fact and falls by the rule with the other."""
    assert found(one, catalogue, good) == "passes"
    assert found(one, catalogue, bad) == rule


@pytest.mark.parametrize(
    ("rule", "one", "good", "bad"),
    [
        ("in_stock", PACK, sold(), sold(parts=[{**ADD_ONS[0], "stock": 0}, ADD_ONS[1]])),
        ("sold_beside_the_plan", PACK, sold(), sold(bundle={"plans": ["business"]}, parts=[
            ADD_ONS[0], {**ADD_ONS[1], "plans": []}])),
        ("price_in_band", upgrade(), {"price_bands": [{"item": "business", "floor": 400, "ceiling": 500}]},
         {"price_bands": [{"item": "business", "floor": 460, "ceiling": 500}]}),
        ("words_complete", upgrade(), {"disclosures": [WORDS]}, {"disclosures": [{**WORDS, "own_language": True}]}),
        ("words_complete", upgrade(template="renewal"), {"templates": [WORDS]},
         {"templates": [{**WORDS, "own_language": True}]}),
        ("advertised_price", upgrade(),
         {"price_bands": [{"item": "business", "floor": 400, "ceiling": 500, "advertised_min": 450}]},
         {"price_bands": [{"item": "business", "floor": 400, "ceiling": 500, "advertised_min": 450.01}]}),
    ],
)  # fmt: skip
def test_one_fact_of_the_catalogue_makes_the_difference(
    rule: str, one: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    """Who pays a tenth less than the list price and reads French passes with the one and not with the other."""
    account = {"discount_ratio": 0.1, "locale": "fr-FR", "seats": 15}
    assert found(one, good, account) == "passes"
    assert found(one, bad, account) == rule


@pytest.mark.parametrize(
    ("rule", "ratio", "features", "catalogue"),
    [
        ("passes", 0.2, {}, {"price_bands": [{**BAND, "floor": 50}]}),
        ("discount_cap", 0.21, {}, {"price_bands": [{**BAND, "floor": 50}]}),
        ("price_in_band", 0.15, {}, {"price_bands": [{**BAND, "floor": 85, "regions": ["asia"]}]}),
        ("passes", 0.15, {"region": "asia"}, {"price_bands": [{**BAND, "floor": 85, "regions": ["asia"]}]}),
        ("passes", 0.15, {"discount_ratio": 0.15}, {}),
        ("price_in_band", 0.15, {"discount_ratio": 0.16}, {}),
    ],
)
def test_a_discount_has_a_cap_and_a_band(
    rule: str, ratio: float, features: dict[str, Any], catalogue: dict[str, Any]
) -> None:
    """Bands hold where they are for; without one only the list price and the account's own pass."""
    assert found(offer(ratio), catalogue, features) == rule


@pytest.mark.parametrize(("discount", "rule"), [(0.25, "passes"), (0.26, "price_parity")])
def test_no_contract_of_the_past_leads_far_from_what_others_pay(discount: float, rule: str) -> None:
    """An upgrade at the account's old discount is offered up to a quarter under the list price."""
    assert found(upgrade(), {}, {"discount_ratio": discount}) == rule


@pytest.mark.parametrize(("margin", "rule"), [(0.5, "passes"), (0.51, "margin_kept")])
def test_a_price_leaves_the_margin_that_the_catalogue_asks_for(margin: float, rule: str) -> None:
    """At 20 % off, half of the price is the cost of serving: the least margin of a half is kept, and no more."""
    content = document(upgrade())
    content["plans"][1]["unit_cost"] = 200.0
    changes = {"plans": content["plans"], "margin_min_ratio": margin}
    assert found(upgrade(), changes, {"discount_ratio": 0.2, "seats": 15}) == rule


def test_every_rule_of_the_packaged_policy_has_a_case_in_which_it_stops_an_action() -> None:
    """Between the packaged cases and the ones here, no rule is left out."""
    fields = {**FIELDS}
    stopped = {outcome.found for outcome in run_cases(load_cases(PACKAGED_CASES), POLICY, PACKAGED, fields)}
    here = {"discount_cap", "price_parity", "margin_kept", "in_stock", "words_complete", "advertised_price"}
    here |= {rule for rule, *_ in CASES}
    assert [
        one.rule.id for one in POLICY.rules if one.rule.reason_code not in stopped and one.rule.id not in here
    ] == []


def with_sections(**sections: Any) -> Policy:
    """Return the packaged policy with other *sections*."""
    return Policy(
        PolicyDocument.model_validate({**load_policy().model_dump(mode="json"), **sections}), FIELDS
    )


def exception(**changes: Any) -> dict[str, Any]:
    """Return an exception for one account that forbids everything."""
    return {"id": "acme_says", "contract": "MSA-1", "reason": "No {offers}", "accounts": ["acme-0042"],
            "forbid": True, **changes}  # fmt: skip


NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
BEFORE, AFTER = "2026-03-02T11:59:00Z", "2026-03-02T12:01:00Z"


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("acme_says", {}),
        ("passes", {"accounts": ["acme-0043"]}),
        ("acme_says", {"accounts": [], "plans": ["team"]}),
        ("passes", {"accounts": [], "plans": ["business"]}),
        ("passes", {"plans": ["business"]}),
        ("acme_says", {"accounts": [], "segments": ["smb"]}),
        ("passes", {"accounts": [], "segments": ["enterprise"]}),
        ("passes", {"covers": {"types": ["propose_offer_within_bands"]}}),
        ("acme_says", {"covers": {"purposes": ["marketing"]}}),
        ("passes", {"covers": {"purposes": ["service"]}}),
        ("acme_says", {"begins_at": BEFORE, "ends_at": AFTER}),
        ("acme_says", {"begins_at": NOW.isoformat()}),
        ("passes", {"ends_at": NOW.isoformat()}),
        ("passes", {"begins_at": AFTER}),
        ("passes", {"ends_at": BEFORE}),
    ],
)
def test_an_exception_forbids_what_it_covers_to_whom_and_when_it_says(
    rule: str, changes: dict[str, Any]
) -> None:
    """Accounts, plans, segments, actions and times all have to fit, and the refusal bears the exception's id."""
    assert found(upgrade(), {}, policy=with_sections(exceptions=[exception(**changes)])) == rule


def test_an_exception_is_refused_with_its_contract_and_fails_closed() -> None:
    """The sentence names the contract; an account whose segment is not known may be the one that is meant."""
    policy = with_sections(
        exceptions=[exception(accounts=[], segments=["bank"], ends_at="2026-12-31T00:00:00Z")]
    )
    assert found(upgrade(), {}, {"segment": None}, policy) == "acme_says"
    plans = Catalogue.model_validate(document(upgrade()))
    fault = (
        policy.about(frame(features={"segment": "bank"}), plans)
        .about(plans.actions[0])
        .first_fault(RULE_STAGES)
    )
    assert fault is not None
    assert (fault.stage, fault.rule) == ("commercial_policy", "contract_exception")
    assert fault.text == "No {offers} (contract MSA-1, until 2026-12-31T00:00:00+00:00)"


@pytest.mark.parametrize(
    ("rule", "ratio", "changes", "features"),
    [
        ("passes", 0.24, {}, {}),
        ("discount_cap", 0.26, {"discount_max": 0.25}, {}),
        ("discount_cap", 0.1, {"discount_max": 0.05}, {}),
        ("passes", 0.05, {"discount_max": 0.05}, {}),
        ("discount_cap", 0.1, {"accounts": [], "segments": ["smb"]}, {"segment": None}),
        ("passes", 0.1, {"accounts": ["other"], "discount_max": 0.0}, {}),
    ],
)
def test_a_contract_may_allow_more_off_the_price_or_less(
    rule: str, ratio: float, changes: dict[str, Any], features: dict[str, Any]
) -> None:
    """Its bound is in place of the usual cap; who may be meant but is not known well enough gets no discount."""
    agreed = exception(**{"forbid": False, "discount_max": 0.25, **changes})
    catalogue = {"price_bands": [{**BAND, "floor": 50}]}
    assert found(offer(ratio), catalogue, features, with_sections(exceptions=[agreed])) == rule


@pytest.mark.parametrize(
    ("allowed", "region", "rule"),
    [
        ([], None, "passes"),
        (["europe"], "europe", "passes"),
        (["europe", "asia"], "europe", "passes"),
        (["asia"], "europe", "region_pinned"),
        (["europe"], None, "region_pinned"),
    ],
)
def test_a_pinned_deployment_decides_about_its_regions_alone(
    allowed: list[str], region: str | None, rule: str
) -> None:
    """Without pinning any region may be decided about; with it, one that is not known may not."""
    policy = with_sections(regions={"allowed": allowed})
    assert found(action(), {}, {"region": region}, policy) == rule


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"accounts": []}, "names neither accounts"),
        ({"forbid": False}, "needs either"),
        ({"discount_max": 0.1}, "needs either"),
        ({"begins_at": AFTER, "ends_at": BEFORE}, "ends before it begins"),
        ({"ends_at": "2026-03-02T12:00:00"}, "timezone"),
        ({"covers": {"types": ["hug"]}}, "covers"),
        ({"discount": 0.1}, "discount"),
    ],
)
def test_an_exception_that_says_nothing_or_two_things_is_refused(changes: dict[str, Any], says: str) -> None:
    """The message names what is wrong."""
    with pytest.raises(ValidationError, match=says):
        with_sections(exceptions=[exception(**changes)])


def test_the_id_of_a_section_is_no_rules_id() -> None:
    """A refusal names one rule and not two."""
    with pytest.raises(PolicyError, match="the id 'consent' is given twice"):
        with_sections(exceptions=[exception(id="consent")])
