"""What the card says of accounts that have left: figures beside yardsticks, or why there are none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tests.training.card.full_card import full_manifest
from training.card.facts import card_facts
from training.card.render import render_html, render_markdown
from training.evaluation.coverage import coverage_by_group
from training.evaluation.winback_report import RateByDays, winback_report

FACTS: dict[str, Any] = {
    "definition": "A paid subscription begins again.",
    "rows": {"train": 700, "validation": 300, "test": 400},
    "returns": {"train": 13, "validation": 14, "test": 19},
    "returns_seen": 27,
    "returns_needed": 20,
    "featureless_rows": 0,
}


def metrics() -> dict[str, Any]:
    """Return what training tells of a head, one horizon judged and one not."""
    rng = np.random.default_rng(2)
    days = rng.uniform(30, 365, 400)
    truth = np.where(days < 150, 0.3, 0.05)
    label = (rng.random(400) < truth).astype(np.float64)
    account = np.array([f"a{number // 2}" for number in range(400)], dtype=object)
    rates = RateByDays.learn(days, label)
    report = winback_report(
        truth, label, account, base_rate=rates.overall, by_days=rates.of(days), samples=50, seed=1
    )
    coverage = coverage_by_group(truth, truth - 0.02, truth + 0.1, label, z=1.645)
    known = {**coverage.to_dict(), "residuals": {"mean_square": 0.91, "least": 0.25, "most": 2.4}}
    uncertainty = {"level": 0.9, "horizons": {"30d": known, "90d": known}}
    training = {"features": "departure", "validation_log_losses": {"days_since_end": 0.1, "departure": 0.09}}
    return {
        **FACTS,
        "training": training,
        "horizons": {"30d": {"unmeasured": "Too early."}, "90d": report},
        "uncertainty": uncertainty,
    }


def texts(found: dict[str, Any] | None) -> tuple[str, str]:
    """Return both renderings of a card whose bundle tells *found* of win-back, without tags."""
    manifest = full_manifest()
    told = {name: value for name, value in manifest.metrics.items() if name != "winback"}
    facts = card_facts(
        manifest.model_copy(update={"metrics": told | ({} if found is None else {"winback": found})})
    )
    return re.sub(r"<[^>]+>", " ", render_html(facts)), render_markdown(facts)


def test_it_shows_the_head_beside_its_yardsticks() -> None:
    """Both yardsticks, the features that it reads, returns seen and needed, and horizons not measured."""
    for text in texts(metrics()):
        assert "Win-back: accounts that have left" in text
        assert "days since the end alone" in text
        assert "reading what is known of the departure" in text
        assert "returns known before the test begins" in text
        assert "Too early." in text
        assert "observed / expected within 90 days" in text


def test_it_tells_how_often_intervals_held_and_how_many_returns_say_so() -> None:
    """Coverage of the horizon that was judged, with its returns; nothing of one that was not, or of an older bundle."""
    found = metrics()
    events = found["horizons"]["90d"]["events"]
    for text in texts(found):
        section = text.split("Win-back: accounts that have left")[-1].split("Uplift:")[0]
        assert "central 90% interval" in section
        assert f"90d: back in {events} of 400 rows" in section
        assert "rests on 19 returns" in section
        assert "0.91" in section
        assert "0.25 to 2.40" in section
        assert "30d: " not in section
    del found["uncertainty"]
    for text in texts(found):
        assert (
            "central 90% interval"
            not in text.split("Win-back: accounts that have left")[-1].split("Uplift:")[0]
        )


def test_without_test_rows_enough_it_says_that_coverage_is_not_known() -> None:
    """An interval whose coverage was measured at no horizon is told with that."""
    found = metrics() | {"uncertainty": {"level": 0.9, "horizons": {}}}
    for text in texts(found):
        assert "Too few test rows were known to tell how often it holds." in text


def test_too_few_returns_are_said_in_a_sentence() -> None:
    """A head that was left out says why, and how many returns there were."""
    for text in texts({**FACTS, "returns_seen": 4, "left_out": "4 returns are known; 20 are needed."}):
        assert "Left out. 4 returns are known; 20 are needed." in text
        assert "returns needed" in text


def test_a_bundle_of_before_has_no_such_section() -> None:
    """Without the figures the card says nothing of win-back."""
    for text in texts(None):
        assert "Win-back: accounts" not in text


def test_the_rate_by_days_is_that_of_the_group_drawn_to_the_base_rate() -> None:
    """Ten groups of equal count; a group without an event says less than the base rate, and more than never."""
    days = np.arange(1_000.0)
    label = (days < 100).astype(np.float64)
    rates = RateByDays.learn(days, label)
    assert rates.overall == 0.1
    assert len(rates.rates) == 10
    found = rates.of(np.array([-5.0, 50.0, 500.0, 5_000.0]))
    assert found[0] == found[1] == (100 + 20 * 0.1) / 120
    assert found[2] == found[3] == 20 * 0.1 / 120
