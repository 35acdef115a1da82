"""What contradicts itself in a catalogue is found, all of it at once, and nothing that is sound is called wrong."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from serving.decisions.catalogue import PACKAGED_CATALOGUE, load_catalogue, parse_catalogue
from serving.decisions.catalogue.checking import faults_in
from serving.errors import CatalogueError
from tests.serving.decisions.frames import action, document

SSO = {"key": "sso", "name": "SSO", "mrr_list": 30, "unit_cost": 3}
LOG = {"key": "log", "name": "Log", "mrr_list": 20, "unit_cost": 2, "requires": ["sso"]}
PACK = {"key": "pack", "name": "Pack", "add_ons": ["sso", "log"], "discount_ratio": 0.2}
BAND = {"item": "team", "floor": 80, "ceiling": 120}


def faults(**changes: Any) -> list[str]:
    """Return the faults of a sound catalogue with *changes*."""
    return faults_in(
        yaml.safe_dump({**document(), "add_ons": [SSO, LOG], "bundles": [PACK], **changes}), "c.yaml"
    )


def templated(texts: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Return a template and an action that has it."""
    return {
        "templates": [{"key": "t", "texts": texts}],
        "actions": [action(template="t", **changes)],
    }


def test_a_sound_catalogue_has_no_fault() -> None:
    """Nothing is called wrong that is not."""
    assert faults(price_bands=[BAND, {**BAND, "regions": ["eu"], "floor": 90}]) == []
    assert faults_in(PACKAGED_CATALOGUE.read_text(), "packaged") == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"price_bands": [{**BAND, "floor": 130}]}, "the floor 130 is above the ceiling 120"),
        ({"price_bands": [{**BAND, "floor": 110}]}, "plan 'team' sells for 100, outside its band of 110 to 120"),
        ({"price_bands": [{**BAND, "advertised_min": 70}]}, "the least advertised price 70 is outside"),
        ({"price_bands": [{**BAND, "item": "gold"}]}, "there is no such plan, add-on or bundle"),
        ({"price_bands": [BAND, BAND]}, "'team' has two price bands without a region"),
        ({"price_bands": [{**BAND, "regions": ["eu"]}] * 2}, "'team' has two price bands in eu"),
        ({"price_bands": [{**BAND, "regions": ["mars"]}], "regions": ["eu"]}, "'mars' is none of the catalogue's"),
        ({"margin_min_ratio": 0.95}, "add-on 'sso' sells for 30, below its cost and margin: at least 60"),
        (
            {"margin_min_ratio": 0.8, "price_bands": [{"item": "sso", "floor": 10, "ceiling": 40}]},
            "the floor 10 is below cost and margin, which need 15",
        ),
        ({"bundles": [{**PACK, "discount_ratio": 0.95}]}, "bundle 'pack' sells for 2.5, below its cost"),
        ({"bundles": [{**PACK, "excludes": ["log"]}]}, "bundle 'pack' excludes its own part 'log'"),
        ({"bundles": [{**PACK, "add_ons": ["sso", "none"]}]}, "holds 'none', which is no add-on"),
        ({"bundles": [{**PACK, "add_ons": ["sso", "sso"]}]}, "bundle 'pack' holds 'sso' twice"),
        ({"bundles": [{**PACK, "plans": ["gold"]}]}, "is for plan 'gold', which is not in the catalogue"),
        ({"bundles": [{**PACK, "key": "team"}]}, "'team' names two of plan, add-on and bundle"),
        (
            {"add_ons": [SSO, LOG, {"key": "x", "name": "X", "mrr_list": 1}],
             "bundles": [{**PACK, "add_ons": ["log", "x"]}]},
            "bundle 'pack' holds 'log' without 'sso', which it requires",
        ),
        (
            {"add_ons": [SSO, {**LOG, "excludes": ["sso"]}]},
            "holds 'log' and 'sso', which exclude each other",
        ),
        ({"add_ons": [SSO, {**LOG, "excludes": ["sso"]}]}, "both requires and excludes 'sso'"),
        (
            {"add_ons": [{**SSO, "plans": ["team"]}, {**LOG, "plans": ["business"]}]},
            "can't be bought: no plan is shared",
        ),
        (
            {"add_ons": [{**SSO, "plans": ["team"]}, {**LOG, "plans": ["team", "business"]}]},
            "add-on 'log' requires 'sso', which is not sold beside business",
        ),
        (
            {"add_ons": [{**SSO, "requires": ["log"]}, LOG]},
            "add-ons require each other in a circle: log -> sso -> log",
        ),
        ({"add_ons": [SSO, {**LOG, "requires": ["none"]}]}, "requires 'none', which is no add-on"),
        ({"add_ons": [{**SSO, "plans": ["gold"]}, LOG]}, "add-on 'sso' is for plan 'gold'"),
        ({"add_ons": [SSO, {**LOG, "excludes": ["log"]}]}, "add-on 'log' excludes itself"),
        (templated({"en-US": "Hi {nobody}"}), "holds {nobody}, for which action 'guide' has no value"),
        (templated({"en-US": "{guide}", "de-DE": "Hallo"}), "in 'de-DE' lacks {guide}, which another locale has"),
        (templated({"de-DE": "Hallo"}), "has no words in the default locale 'en-US'"),
        (templated({"en-US": "{guide!r}"}), "a placeholder may hold a name only"),
        (templated({"en-US": "{guide"}), "template 't' in 'en-US'"),
        (templated({"en-US": " "}), "template 't' is empty in 'en-US'"),
        ({"actions": [action(template="none")]}, "has template 'none', which is not in the catalogue"),
        (
            templated({"en-US": "Hi"}, channel="internal", surfaces=["account_card"]),
            "has a template, and its channel reaches nobody",
        ),
        (
            {"disclosures": [{"key": "d", "actions": ["none"], "texts": {"en-US": "x"}}]},
            "goes with action 'none', which is not in the catalogue",
        ),
        ({"approvals": {"high": -1}}, "approvals for blast radius 'high' can't be -1"),
        (
            {"actions": [action(type="create_bundle_within_policy", parameters={"bundle": "none"})]},
            "offers bundle 'none', which is not in the catalogue",
        ),
        (
            {"actions": [action(type="propose_offer_within_bands", parameters={"discount_ratio": 0.3})],
             "price_bands": [BAND]},
            "would offer plan 'team' for 70, below the floor 80",
        ),
        (
            {"actions": [action(type="propose_offer_within_bands", parameters={"discount_ratio": 2})]},
            "discount_ratio must be at least 0 and under 1",
        ),
        (
            {"actions": [action(type="start_trial_or_upgrade", parameters={"trial_days": 91})]},
            "parameter 'trial_days' should be a whole number from 0 to 90, not 91",
        ),
        ({"actions": [action(parameters={"guide": "http://x.example"})]}, "begins with https://"),
        ({"actions": [action(channel="phone")]}, "a guide goes by email or in_app, and not by phone"),
        ({"actions": [action(type="create_bundle_within_policy")]}, "names no bundle"),
        (
            {"actions": [action(type="annotate_account", parameters={"note": " "})]},
            "parameter 'note' should be a text of at most 2000 characters, not ' '",
        ),
        (
            {"regions": ["eu"], "actions": [action(regions=["mars"])]},
            "is for region 'mars', which is none of the catalogue's",
        ),
        (
            {"price_bands": [{**BAND, "list_factor": 0.5}]},
            "plan 'team' sells for 50, outside its band of 80 to 120",
        ),
        (
            {"templates": [{"key": "t", "texts": {"en-US": "Please click here for {plan}."}}]},
            "template 't' in 'en-US': a link's words should say where it leads",
        ),
        (
            {"disclosures": [{"key": "d", "texts": {"en-US": "IT RENEWS FOR THE SAME TERM."}}]},
            "disclosure 'd' in 'en-US': capitals throughout",
        ),
        (
            {"disclosures": [{"key": "d", "texts": {"en-US": "It renews.", "english": "It renews."}}]},
            "disclosure 'd': 'english' is no language tag such as en-US",
        ),
    ],
)  # fmt: skip
def test_each_contradiction_is_found_by_name(changes: dict[str, Any], says: str) -> None:
    """The sentence names what contradicts what; the same stops the service at its start."""
    found = faults(**changes)
    assert any(says in fault for fault in found), found
    with pytest.raises(CatalogueError):
        parse_catalogue(
            yaml.safe_dump({**document(), "add_ons": [SSO, LOG], "bundles": [PACK], **changes}), "c.yaml"
        )


def test_faults_of_form_hide_no_contradiction() -> None:
    """One look mends the file: a negative price here does not hide a wrong band there, and is told once."""
    wrong = {"key": "bad", "name": "Bad", "mrr_list": -1}
    found = faults(add_ons=[SSO, LOG, wrong], price_bands=[{**BAND, "floor": 130}], bundles=[PACK])
    assert found[0].startswith("add_ons.2.mrr_list: ")
    assert any("above the ceiling" in fault for fault in found)
    assert sum("bad" in fault for fault in found) == 0


@pytest.mark.parametrize("text", ["plans: [", "just words", "", "[1]", "{currency: EUR, plans: []}"])
def test_what_is_no_catalogue_at_all_is_said_to_be_none(text: str) -> None:
    """Any text has an answer in sentences."""
    assert faults_in(text, "c.yaml")


def test_prices_words_and_approvals_are_found_by_region_locale_and_radius() -> None:
    """The region's own band and the account's language come first, then what is for all."""
    catalogue = load_catalogue()
    upgrade = catalogue.actions_by_key["upgrade_to_next_plan"]
    assert set(catalogue.disclosures_for(upgrade, "europe", None)) == {
        "auto_renewal", "trial_ends", "prices_without_tax",
    }  # fmt: skip
    assert set(catalogue.disclosures_for(upgrade, "oceania", None)) == {"auto_renewal", "trial_ends"}
    assert "prices_without_tax" in catalogue.disclosures_for(upgrade, None, None)
    german = catalogue.disclosures_for(upgrade, "europe", "de-AT")["prices_without_tax"]
    assert german.startswith("Preise")
    assert catalogue.disclosures_for(upgrade, "europe", "fr-FR")["prices_without_tax"].startswith("Prices")
    assert catalogue.price_band("team", "europe").floor == 159
    assert catalogue.price_band("sso", "europe") is None
    assert catalogue.approvals_needed(catalogue.actions_by_key["incident_status"]) == 1
    assert catalogue.approvals_needed(upgrade) == 0


def test_a_regions_own_band_comes_first() -> None:
    """The band without a region is for the others."""
    content = {**document(), "price_bands": [BAND, {**BAND, "regions": ["eu"], "floor": 90}]}
    catalogue = parse_catalogue(yaml.safe_dump(content), "c.yaml")
    assert catalogue.price_band("team", "eu").floor == 90
    assert catalogue.price_band("team", "us").floor == catalogue.price_band("team", None).floor == 80


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"audience": "left"}, "is for accounts that have left, and declares a lift to staying or expanding"),
        (
            {"priors": {"win_back": {"mean": 0.02, "sd": 0.01}}},
            "declares a lift to coming back, and is not for accounts that have left (audience: left)",
        ),
    ],
)
def test_an_action_declares_lifts_of_the_accounts_that_it_is_for(changes: dict[str, Any], fault: str) -> None:
    """Who has left can't stay, and who has a subscription can't come back."""
    assert faults(actions=[action(**changes)]) == [f"action 'guide': {fault}"]
    sound = action(audience="left", priors={"win_back": {"mean": 0.02, "sd": 0.01}})
    assert faults(actions=[sound]) == []
