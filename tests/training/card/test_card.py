"""The card says what the manifest holds, is one file, and never hides that data is synthetic."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from tests.training.export.small_models import TRAINED_AT, make_trained
from training.card.facts import SYNTHETIC, card_facts
from training.card.render import auc_place, figure_text, render_html, render_markdown
from training.export.bundle import export_bundle

if TYPE_CHECKING:
    from training.card.facts import CardFacts
    from training.trained import TrainedModels


def facts_of(trained: TrainedModels) -> CardFacts:
    """Return the card facts of an export of *trained*."""
    return card_facts(
        export_bundle(trained, trained_at=TRAINED_AT, parity_rows=1_000, code="1.0+test").manifest
    )


@pytest.fixture(scope="module")
def facts() -> CardFacts:
    """Return the facts of a synthetic training."""
    return facts_of(make_trained())


def test_baselines_stand_beside_ours_with_intervals(facts: CardFacts) -> None:
    """Both renderings show every model with its interval and what it is, ours first."""
    horizon = facts.heads[0].horizons[1]
    assert horizon.models[0].key == "keepgrow"
    assert len(horizon.models) == 4
    page, text = render_html(facts), render_markdown(facts)
    assert "<span>0.810</span><small>0.78 to 0.84</small>" in page
    assert "0.810 (0.78 to 0.84)" in text
    assert "0.800 (0.77 to 0.83)" in text
    for rendered in (page, text):
        assert "Logistic regression" in rendered
        assert "note on best_single_feature" in rendered


def test_a_doubtful_gain_is_called_doubtful(facts: CardFacts) -> None:
    """Where the interval of the gain over a baseline holds zero, the card says that it is doubtful."""
    undefined, horizon = facts.heads[0].horizons
    assert "logistic regression" in horizon.verdict
    assert "base rate" not in horizon.verdict
    assert "too few" in undefined.verdict
    assert any("62 within 90d" in limit for limit in facts.limits)


def test_synthetic_data_is_called_synthetic_and_real_data_is_not(facts: CardFacts) -> None:
    """The sentence stands in both renderings exactly when the data is synthetic."""
    assert SYNTHETIC in render_html(facts)
    assert SYNTHETIC in render_markdown(facts)
    real = facts_of(make_trained(synthetic=False))
    assert "synthetic" not in (render_html(real) + render_markdown(real)).lower()


def test_the_page_is_one_well_formed_file_for_light_dark_and_phone(facts: CardFacts) -> None:
    """Nothing is loaded from elsewhere, both colour schemes and phones are provided for, all tags close."""
    page = render_html(facts)
    assert not re.search(r"src\s*=|href\s*=\s*\"[^#]|url\(|@import|<script", page)
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    open_tags = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            del attrs
            if tag not in {"meta", "br"}:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Balance().feed(page)
    assert open_tags == []


def test_hashes_and_window_are_on_the_card(facts: CardFacts) -> None:
    """Provenance and time split can be read off both renderings."""
    for text in (render_html(facts), render_markdown(facts)):
        assert facts.hashes["feature contract"] in text
        assert "2025-10-01 to 2025-11-01" in text
        assert "1.0+test" in text


def test_names_from_data_are_escaped() -> None:
    """A data set's name can't put markup into the page or break the Markdown table."""
    trained = make_trained()
    odd = trained.dataset.model_copy(update={"name": "<b>a|b</b>"})
    facts = facts_of(dataclasses.replace(trained, dataset=odd))
    assert "<b>" not in render_html(facts)
    assert "a\\|b" in render_markdown(facts)


def test_a_bundle_without_metrics_has_a_card() -> None:
    """Heads that were not judged still have a definition on the card."""
    trained = make_trained()
    page = render_html(facts_of(dataclasses.replace(trained, metrics={})))
    assert trained.definitions.sentence("upsell").split(",")[0] in page


def test_figures_and_places() -> None:
    """An undefined figure is a dash, and places on the scale stay on it."""
    assert figure_text(None, "brier") == "-"
    assert auc_place(0.7) == pytest.approx(50)
    assert auc_place(0.1) == 0
    assert auc_place(None) == 0
    assert auc_place(1.2) == 100
