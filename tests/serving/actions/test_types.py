"""The ten types: strict values that say everything, checked against account and catalogue, with inverses."""

from __future__ import annotations

import datetime as dt
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.actions.money import Money, minor_digits
from serving.actions.simulate import Rules, simulate_action
from serving.actions.types import (
    TYPES,
    DraftError,
    draft,
    message_of,
    parse_action,
    schema_of,
    schemas,
)
from serving.actions.types.status import message_values
from serving.decisions.catalogue import ACTION_TYPES
from serving.decisions.catalogue.vocabulary import EVERY_TEMPLATE_VALUE, TEMPLATE_VALUES
from tests.serving.actions.worlds import CATALOGUE, RULES, account, drafted, situation
from tests.serving.decisions.strategies import frames

KEYS = [action.key for action in CATALOGUE.actions]
DAY = dt.timedelta(days=1)


def changed(key: str, **changes: Any) -> list[str]:
    """Return the codes of the faults of the packaged action *key* with *changes* to its JSON."""
    action, one = drafted(key)
    content = {**action.model_dump(mode="json"), **changes}
    return [fault.code for fault in parse_action(orjson.dumps(content)).every_fault(one)]


def usd(amount: float) -> dict[str, Any]:
    """Return an amount of US dollars as JSON."""
    return Money.of(amount, "USD").model_dump()


def test_there_are_exactly_the_ten_types() -> None:
    """The union, the catalogue's types and the packaged actions are the same ten."""
    assert set(TYPES) == set(ACTION_TYPES) == {action.type for action in CATALOGUE.actions}
    assert len(TYPES) == 10


@pytest.mark.parametrize("key", KEYS)
def test_every_packaged_action_can_be_written_out_read_and_checked(key: str) -> None:
    """A draft has no fault, is the same after JSON, fits its published schema, says what it does and can leave."""
    action, one = drafted(key)
    assert action.every_fault(one) == []
    content = action.model_dump_json()
    assert parse_action(content) == action
    jsonschema.validate(orjson.loads(content), schema_of(one.action.type))
    jsonschema.validate(orjson.loads(content), schemas())
    assert one.frame.account_id in action.read_back()
    assert action.side_effects()[0].due_at is None
    assert set(action.words(one)) == set(TEMPLATE_VALUES[one.action.type])
    words = message_of(action, one)
    assert (words is None) == (one.action.template is None)
    if words is not None:
        assert words[0] == "de-DE"
        assert "{" not in words[1]


@pytest.mark.parametrize("key", KEYS)
def test_only_a_mail_can_not_be_undone(key: str) -> None:
    """Every other action has an inverse, of another type and about the same account."""
    action, one = drafted(key)
    inverse = action.inverse()
    if key in {"enablement_guide", "reactivation_guide", "whats_new_mail"}:
        assert inverse is None
        return
    assert inverse is not None
    assert inverse.type != action.side_effects()[0].type
    assert inverse.data["account_id"] == one.frame.account_id


@pytest.mark.parametrize("key", KEYS)
def test_unknown_members_naive_times_and_coerced_values_are_refused(key: str) -> None:
    """Strict: nothing is dropped, nothing is guessed."""
    content = drafted(key)[0].model_dump(mode="json")
    with pytest.raises(ValidationError, match="Extra inputs"):
        parse_action(orjson.dumps({**content, "colour": "red"}))
    times = [name for name, value in content.items() if isinstance(value, str) and value.endswith("Z")]
    for name in times:
        for bad in ("2026-03-02T12:00:00", 1_770_000_000, "tomorrow"):
            with pytest.raises(ValidationError):
                parse_action(orjson.dumps({**content, name: bad}))
    with pytest.raises(ValidationError):
        parse_action(orjson.dumps({**content, "account_id": 7}))


@pytest.mark.parametrize("amount", [1.5, "100", True, None, 10**16])
def test_money_is_a_whole_number_of_minor_units(amount: Any) -> None:
    """Neither fractions nor text nor amounts beyond sense are money."""
    content = drafted("add_seats")[0].model_dump(mode="json")
    content["price_change"] = {"amount_minor": amount, "currency": "USD"}
    with pytest.raises(ValidationError):
        parse_action(orjson.dumps(content))


@pytest.mark.parametrize(
    ("amount", "currency", "minor", "shown"),
    [
        (19.99, "USD", 1999, "19.99 USD"),
        (1234.0, "JPY", 1234, "1234 JPY"),
        (1.2345, "KWD", 1234, "1.234 KWD"),
        (0.125, "EUR", 12, "0.12 EUR"),
        (-48.0, "USD", -4800, "-48.00 USD"),
    ],
)
def test_minor_units_are_the_currencys_own(amount: float, currency: str, minor: int, shown: str) -> None:
    """Decimals follow ISO 4217; halves go to the even side."""
    money = Money.of(amount, currency)
    assert (money.amount_minor, str(money)) == (minor, shown)
    assert money.amount == pytest.approx(amount, abs=0.6 * 10 ** -minor_digits(currency))


@pytest.mark.parametrize(
    ("key", "changes", "code"),
    [
        ("add_seats", {"account_id": "other"}, "other_account"),
        ("add_seats", {"seats_from": 19}, "not_the_seats"),
        ("add_seats", {"seats_to": 20, "price_change": usd(0)}, "no_change"),
        ("add_seats", {"seats_to": 61, "price_change": usd(41 * 12)}, "seats_at_plan_maximum"),
        ("add_seats", {"seats_to": 18, "price_change": usd(-24)}, "seats_in_use"),
        ("add_seats", {"price_change": usd(47)}, "not_the_price"),
        ("add_seats", {"starts_at": "2026-03-01T12:00:00Z"}, "in_the_past"),
        ("add_seats", {"starts_at": "2028-03-01T12:00:00Z"}, "too_far_ahead"),
        ("upgrade_to_next_plan", {"plan_from": "starter"}, "not_the_plan"),
        ("upgrade_to_next_plan", {"plan_to": "gold"}, "unknown_plan"),
        ("upgrade_to_next_plan", {"plan_to": "starter", "price": usd(49)}, "not_higher"),
        ("upgrade_to_next_plan", {"price": usd(700)}, "outside_price_band"),
        ("upgrade_to_next_plan", {"price": {"amount_minor": 89900, "currency": "EUR"}}, "other_currency"),
        ("upgrade_to_next_plan", {"auto_revert": False}, "trial_without_return"),
        ("upgrade_to_next_plan", {"trial_ends_at": None}, "trial_without_end"),
        ("upgrade_to_next_plan", {"trial_ends_at": "2026-03-02T11:00:00Z"}, "ends_before_it_starts"),
        ("upgrade_to_next_plan", {"trial_ends_at": "2026-09-02T12:00:00Z"}, "too_long"),
        ("upgrade_to_next_plan", {"mode": "upgrade"}, "no_trial"),
        ("renewal_offer", {"item": "business"}, "not_the_plan"),
        ("renewal_offer", {"item": "nothing"}, "fact_missing"),
        ("renewal_offer", {"list_price": usd(300)}, "not_the_list_price"),
        ("renewal_offer", {"price": usd(270)}, "above_list_price"),
        ("renewal_offer", {"price": usd(200)}, "outside_price_band"),
        ("renewal_offer", {"price": usd(50)}, "below_margin"),
        ("renewal_offer", {"expires_at": "2026-03-02T11:00:00Z"}, "ends_before_it_starts"),
        ("security_bundle", {"bundle": "none"}, "unknown_bundle"),
        ("security_bundle", {"parts": ["sso", "priority_support"]}, "other_parts"),
        ("security_bundle", {"price": usd(39)}, "outside_price_band"),
        ("success_call", {"starts_at": "2026-03-02T21:00:00Z"}, "quiet_hours"),
        ("success_call", {"starts_at": "2026-03-03T18:45:00Z"}, "quiet_hours"),
        ("enablement_guide", {"send_at": "2026-03-02T21:00:00Z"}, "quiet_hours"),
        ("enablement_guide", {"guide": "http://example.com"}, "not_https"),
        ("enablement_guide", {"channel": "in_app"}, "other_channel"),
        ("pause_outreach", {"channels": ["email", "email"]}, "named_twice"),
        ("pause_outreach", {"channels": ["internal"]}, "reaches_nobody"),
        ("pause_outreach", {"until": "2026-03-02T12:00:00Z"}, "ends_before_it_starts"),
        (
            "guide_experiment",
            {"arms": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5}]},
            "no_control",
        ),
        (
            "guide_experiment",
            {"arms": [{"name": "control", "share": 0.5}, {"name": "b", "share": 0.4}]},
            "shares",
        ),
        (
            "guide_experiment",
            {"arms": [{"name": "control", "share": 0.5}, {"name": "control", "share": 0.5}]},
            "named_twice",
        ),
        ("renewal_review", {"note": "  "}, "empty"),
        ("renewal_review", {"tags": ["a", "a"]}, "named_twice"),
        ("incident_status", {"text": "Hello {name}"}, "placeholder_left"),
        ("incident_status", {"text": "EVERYTHING IS BROKEN AND WE ARE SORRY"}, "all_capitals"),
        ("incident_status", {"text": "For more, click here"}, "empty_link_text"),
        ("incident_status", {"text": "a\u0007b"}, "control_characters"),
        ("incident_status", {"locale": "fr-FR"}, "other_language"),
        ("incident_status", {"locale": "?!"}, "not_a_locale"),
    ],
)
def test_what_an_action_says_wrongly_is_named(key: str, changes: dict[str, Any], code: str) -> None:
    """Each check of form finds its fault in an action that had none before."""
    assert code in changed(key, **changes)


def test_a_trial_ends_by_itself_and_leaves_the_way_back_open() -> None:
    """The end is an effect of its own, due when the trial ends, for accounts that are still on trial only."""
    action, one = drafted("upgrade_to_next_plan")
    started, ended = action.side_effects()
    assert (started.type, started.due_at) == ("keepgrow.trial.started", None)
    assert (ended.type, ended.due_at) == ("keepgrow.trial.ended", one.now + 14 * DAY)
    assert ended.data == {
        "account_id": "acme-0042", "plan_from": "business", "plan_to": "team", "only_if": "still_on_trial",
    }  # fmt: skip
    assert ended.data == action.inverse().data


def test_seats_are_given_back_by_the_opposite_change() -> None:
    """The inverse of a change of seats and price is the same change backwards."""
    action, _ = drafted("add_seats")
    assert action.inverse().data == {
        "account_id": "acme-0042", "seats_from": 24, "seats_to": 20, "price_change": usd(-48),
    }  # fmt: skip


def test_a_discounted_account_is_not_given_the_difference_twice() -> None:
    """What an offer gives away counts from what the account pays now."""
    action, one = drafted("renewal_offer")
    assert action.give_away(one) == pytest.approx(12 * 25.9)
    action, one = drafted("renewal_offer", features={"discount_ratio": 0.05})
    assert action.give_away(one) == pytest.approx(12 * 25.9 / 2)


def test_without_a_price_band_only_the_usual_price_is_asked() -> None:
    """The list price is, and so is it less the account's own discount; another is refused."""
    content = {**CATALOGUE.model_dump(), "price_bands": []}
    rules = Rules(type(CATALOGUE).model_validate(content), RULES.policy)
    one = rules.situation(account(features={"discount_ratio": 0.1}), "upgrade_to_next_plan")
    action = draft(one)
    assert action.every_fault(one) == []
    for price, codes in ((899, []), (809.1, []), (850, ["no_price_band"])):
        asked = parse_action(orjson.dumps({**action.model_dump(mode="json"), "price": usd(price)}))
        assert [fault.code for fault in asked.every_fault(one)] == codes


def test_fewer_seats_give_away_a_year_of_their_price() -> None:
    """Right-sizing down is a cost that a simulation shows."""
    action, one = drafted("add_seats", features={"seat_utilisation_ratio": 0.5})
    content = {**action.model_dump(mode="json"), "seats_to": 18, "price_change": usd(-24)}
    fewer = parse_action(orjson.dumps(content))
    assert fewer.every_fault(one) == []
    assert fewer.give_away(one) == 12 * 24


def test_what_is_not_known_of_an_account_is_no_draft() -> None:
    """An action whose facts are missing is not made up."""
    for key, missing in (("add_seats", "seats"), ("upgrade_to_next_plan", "plan"), ("renewal_offer", "plan")):
        with pytest.raises(DraftError, match="not known"):
            draft(situation(key, features={missing: None}))
    with pytest.raises(DraftError, match="no plan is above"):
        draft(situation("upgrade_to_next_plan", features={"plan": "enterprise"}))
    with pytest.raises(DraftError, match="not quiet"):
        draft(situation("success_call", features={"timezone": None}))


@settings(max_examples=60, deadline=None)
@given(frames, st.sampled_from(KEYS))
def test_no_account_makes_a_draft_fail_otherwise(one: Any, key: str) -> None:
    """Whatever is known of an account, a draft is an action that can be checked and sent, or says what it lacks."""
    try:
        action = draft(RULES.situation(one, key))
    except DraftError:
        return
    assert simulate_action(action, one, RULES)["allowed"] in {True, False}
    assert parse_action(action.model_dump_json()) == action
    assert all(orjson.dumps(dict(effect.data)) for effect in action.side_effects())


def test_templates_may_name_what_every_message_has() -> None:
    """The names that the catalogue lets into messages are those that are filled."""
    action, one = drafted("add_seats")
    assert message_of(action, one) is not None
    assert set(EVERY_TEMPLATE_VALUE) <= set(message_values(one))
    assert message_values(situation("success_call"))["topic"] == "What holds the account back"
    assert account().account_id == message_values(one)["account_id"]
