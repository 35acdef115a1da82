"""The definitions file: what it must hold, and what it refuses."""

from __future__ import annotations

import pytest
import yaml

from training.definitions import DEFAULT_FILE, load_definitions
from training.errors import DefinitionsError


def changed(tmp_path, **fields):
    """Write the default file with other top-level fields."""
    content = yaml.safe_load(DEFAULT_FILE.read_text(encoding="utf-8")) | fields
    path = tmp_path / "definitions.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_default_file_is_valid_and_says_what_the_product_promises():
    """30, 60 and 90 days, 30 days of grace, four tiers over 0 to 100, the score at 90 days."""
    definitions = load_definitions()
    assert definitions.horizons_days == (30, 60, 90)
    assert definitions.score_horizon_days == 90
    assert definitions.churn.grace_days == 30
    assert [(tier.name, tier.low, tier.high) for tier in definitions.tiers] == [
        ("low", 0, 24),
        ("medium", 25, 49),
        ("high", 50, 74),
        ("critical", 75, 100),
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"horizons_days": [30, 30]}, "increasing"),
        ({"horizons_days": [0, 30, 90]}, "positive"),
        ({"score_horizon_days": 45}, "score_horizon_days 45"),
        ({"tiers": [{"name": "all", "low": 0, "high": 99}]}, "cover 0 to 100"),
        (
            {"tiers": [{"name": "a", "low": 0, "high": 50}, {"name": "b", "low": 50, "high": 100}]},
            "start at 51",
        ),
        ({"split": {"validation_fraction": 0.6, "test_fraction": 0.5}}, "leave a share"),
        ({"split": {"validation_from": "2024-05-01", "test_from": "2024-04-01"}}, "before test_from"),
        ({"upsell": {"higher_plan": False, "more_seats": False}}, "at least one"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_contradictions_are_refused_with_the_field(tmp_path, fields, sentence):
    """The message names the file and what is wrong in it."""
    with pytest.raises(DefinitionsError, match=sentence) as caught:
        load_definitions(changed(tmp_path, **fields))
    assert "definitions.yaml" in str(caught.value)


def test_a_file_that_is_missing_or_no_yaml_is_refused(tmp_path):
    """Neither an absent file nor a broken one is a traceback."""
    with pytest.raises(DefinitionsError, match="nowhere"):
        load_definitions(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [", encoding="utf-8")
    with pytest.raises(DefinitionsError, match="broken"):
        load_definitions(broken)


def test_equal_definitions_have_equal_hashes(tmp_path):
    """The hash follows the meaning: order and comments don't matter, a value does."""
    assert load_definitions(changed(tmp_path)).hash == load_definitions().hash
    assert load_definitions(changed(tmp_path, churn={"grace_days": 14})).hash != load_definitions().hash


def test_the_sentences_name_what_counts(tmp_path):
    """What is said of a head follows the definitions."""
    definitions = load_definitions(changed(tmp_path, churn={"grace_days": 14}, upsell={"more_seats": False}))
    assert "within 14 days" in definitions.sentence("churn")
    assert "seats" not in definitions.sentence("upsell")
    assert "seats" in load_definitions().sentence("upsell")
