"""What people ask of a model card is on it, in words: what it is good for, which data, which views, which accounts."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

import pytest

from tests.training.card.full_card import TAG, full_facts, full_manifest
from training.card.facts import card_facts
from training.card.render import on_a_phone, prose, render_html, render_markdown, two_lines, verdict_class

if TYPE_CHECKING:
    from training.card.values import CardFacts


@pytest.fixture(scope="module")
def facts() -> CardFacts:
    """Return the facts of a card with everything."""
    return full_facts()


def texts(facts: CardFacts) -> tuple[str, str]:
    """Return both renderings, the page without its tags."""
    return re.sub(r"<[^>]+>", " ", render_html(facts)), render_markdown(facts)


def changed(**metrics: object) -> CardFacts:
    """Return the facts of the card with other figures."""
    manifest = full_manifest()
    return card_facts(manifest.model_copy(update={"metrics": {**manifest.metrics, **metrics}}))


def test_it_begins_with_five_figures_and_what_they_are_good_for(facts: CardFacts) -> None:
    """Five figures with intervals, uses that the test bears out, uses that it does not, and who judges."""
    assert len(facts.summary.figures) == 5
    assert all(one.interval and one.meaning for one in facts.summary.figures)
    assert any("look at first" in one for one in facts.summary.good)
    assert any("doing nothing on later draws (+0.050, +0.020 to +0.080)" in one for one in facts.summary.good)
    assert facts.summary.bad[0].startswith("Any claim about real customers")
    assert any("ranked better than by the logistic regression" in one for one in facts.summary.bad)
    for text in texts(facts):
        assert text.index("Not for") < text.index("Data and time")
        assert "keepgrow promote" in text


def test_a_use_that_the_test_does_not_bear_out_is_warned_of() -> None:
    """Uplift that may be nothing, and probabilities that are surely too low, stand under what it is not for."""
    manifest = full_manifest()
    uplift = {**manifest.metrics["uplift"]["outcomes"]["retained"]}
    uplift["policy"] = {
        **uplift["policy"],
        "uplift_less_others": {"nothing": {"value": 0.01, "low": -0.02, "high": 0.04}},
    }
    facts = changed(uplift={**manifest.metrics["uplift"], "outcomes": {"retained": uplift}})
    assert any("not shown to be better than doing nothing" in one for one in facts.summary.bad)
    heads = {**manifest.metrics["heads"]}
    found = {**heads["churn"]["horizons"]["90d"]}
    ours = {**found["models"]["keepgrow"]}
    ours["metrics"] = {**ours["metrics"], "calibration_ratio": {"value": 0.8, "low": 0.75, "high": 0.9}}
    found["models"] = {**found["models"], "keepgrow": ours}
    heads["churn"] = {**heads["churn"], "horizons": {"90d": found}}
    facts = changed(heads=heads)
    told = "Budgeting with churn probabilities as they stand (observed / expected 1.25, 1.11 to 1.33)."
    assert told in facts.summary.bad


def test_the_final_fit_is_told_with_rows_accounts_and_events(facts: CardFacts) -> None:
    """The cutoffs of what is shipped, its rows, and the accounts without consent stand beside the other parts."""
    for text in texts(facts):
        assert "25,129" in text
        assert "2025-03-08 to 2025-12-18" in text
        assert "30 / 60 / 90" in text
        assert "71, whose consent to training is not given" in text
        assert "censored" in text
        assert "no test cutoff was trained on" in text
    kept = {**full_manifest().metrics["heads"]}
    kept = {head: {**entry, "training": {"refitted": False}} for head, entry in kept.items()}
    assert "25,129" not in render_markdown(changed(heads=kept))


def test_what_each_view_is_worth_is_told_or_that_it_was_not_measured(facts: CardFacts) -> None:
    """Differences stand with intervals and a verdict; a bundle of an earlier release says how to measure them."""
    for text in texts(facts):
        assert "change without usage (9)" in text
        assert "earns its place" in text
        assert "-0.080 to -0.020" in text
        assert "weather" in text
    assert "Not measured: this bundle was trained by an earlier release" in render_markdown(
        changed(ablations=None)
    )
    told = "Not measured: the features that vary are all of one view."
    assert told in render_markdown(changed(ablations={"unmeasured": told}))


def test_every_gap_is_shown(facts: CardFacts) -> None:
    """No row is left out: each slice has a line for each of the three measures, of each head."""
    gaps = full_manifest().metrics["slices"]["churn"]["gaps"]
    assert len(gaps) == 3 * 17
    text = render_markdown(facts)
    assert text.count("| size: 350 to 399 employees |") >= 2 * 3
    assert not re.search(r"and \d+ more", text)
    (fairness,) = (one for one in facts.sections if one.title.startswith("Fairness"))
    folded = [block.table for block in fairness.blocks if block.folded and block.table]
    assert [len(table.rows) for table in folded] == [17] * 6


def test_what_could_not_be_measured_is_named_by_column_and_measure() -> None:
    """A column stands there with the measures that are missing; a bundle of an earlier release names columns alone."""
    why = "every slice large enough, or all beside it, has fewer than 10 events"
    slices = copy.deepcopy(full_manifest().metrics["slices"])
    slices["churn"]["not_measured"] = [{"column": "region", "measures": ["equal_opportunity"], "why": why}]
    slices["upsell"]["not_measured"] = {"segment": "no feature tells it"}
    text = render_markdown(changed(slices=slices))
    assert f"Not measured by region (found as often): {why}." in text
    assert "Not measured by segment: no feature tells it." in text


def test_long_tables_of_any_part_are_whole() -> None:
    """A hundred records of a part that the card does not know have a hundred rows and all their columns."""
    records = [{f"column {number}": number for number in range(15)} for _ in range(100)]
    (table,) = (
        block.table
        for section in changed(leakage={"checked": records}).sections
        if section.title == "Leakage checks"
        for block in section.blocks
        if block.table
    )
    assert len(table.rows) == 100
    assert len(table.header) == 15


def test_one_way_to_tell_calibration(facts: CardFacts) -> None:
    """Observed over expected everywhere, equal for a head and for all of its accounts; the other way round nowhere."""
    page, text = texts(facts)
    assert "observed / expected" in page.lower()
    assert not re.search(r"predicted / observed", page + text, re.IGNORECASE)
    ratio = full_manifest().metrics["heads"]["churn"]["horizons"]["90d"]["models"]["keepgrow"]["metrics"][
        "calibration_ratio"
    ]
    slices = full_manifest().metrics["slices"]["churn"]["overall"]["observed_to_expected"]
    ours = facts.heads[0].horizons[1].models[0].figures["observed_to_expected"]
    assert ours.value == pytest.approx(1 / ratio["value"]) == pytest.approx(slices["value"], abs=1e-4)
    assert ours.low is not None
    assert ours.high is not None
    assert ours.low < (ours.value or 0) < ours.high


def test_facts_stand_in_text_and_not_in_tooltips(facts: CardFacts) -> None:
    """The single feature of a baseline and shares of importance can be read, and no element has a title."""
    page = render_html(facts)
    assert "title=" not in page
    for text in texts(facts):
        assert "events_7d (AUC 0.638 in training)" in text
        assert "60.0 %" in text
        assert "as many alerts as Keepgrow raises" in text or text.startswith("#")


def test_terms_are_told_in_plain_words(facts: CardFacts) -> None:
    """Learners, Qini and estimators of policies have an entry when there is uplift, and money has its currency."""
    page, text = texts(facts)
    for name in ("Qini", "AUUC", "IPS, SNIPS, doubly robust", "Learners", "Embargo"):
        assert name in [term for term, _ in facts.terms]
    assert "one model (S)" in page
    assert "x P(churn)" in text
    bare = changed(uplift=None)
    assert "Qini" not in [term for term, _ in bare.terms]
    in_euros = card_facts(full_manifest().model_copy(update={"currency": "EUR"}))
    assert "monthly recurring revenue, in EUR" in render_markdown(in_euros)


def test_the_bundle_is_named_and_its_graph_hashed(facts: CardFacts) -> None:
    """The tag and the hash of the graph stand under provenance; a bundle that has none yet has a card all the same."""
    for text in texts(facts):
        assert TAG in text
        assert str(full_manifest().graph_hash) in text
    unnamed = card_facts(full_manifest().model_copy(update={"graph_hash": None}))
    assert {"bundle", "graph"}.isdisjoint(unnamed.hashes)


def test_a_target_that_flagging_nobody_meets_is_no_success(facts: CardFacts) -> None:
    """The verdict says so and is not shown as met, also of a bundle that was made before verdicts said it."""
    heads = copy.deepcopy(full_manifest().metrics["heads"])
    found = heads["churn"]["horizons"]["90d"]
    for one in found["targets"].values():
        for key in ("sentence", "flagging_nobody", "flagging_everybody"):
            one.pop(key, None)
    found["targets"]["revenue_protection_accuracy"] |= {
        "value": 0.93,
        "low": 0.91,
        "verdict": "met",
        "target": 0.9,
    }
    shipped = next(one for one in found["policies"].values() if one["shipped"])
    shipped["figures"]["revenue_protection_accuracy_flagging_nobody"]["value"] = 0.952
    old = changed(heads=heads)
    told = "met, but so does flagging nobody (0.952)"
    assert told in render_markdown(old)
    assert f'class="undecided"><span class="words">{told}' in render_html(old)
    (table,) = (one for one in old.heads[0].horizons[1].tables if one.caption == "Targets")
    assert table.header == ("target", "wanted", "reached on test", "verdict")
    (new,) = (one for one in facts.heads[0].horizons[1].tables if one.caption == "Targets")
    assert "flagging nobody" in new.header


def test_a_manifest_of_an_earlier_release_has_a_card() -> None:
    """Without facts of the data, baselines' alerts, bands, ablations or sentences, the card shows what is there."""
    metrics = copy.deepcopy(full_manifest().metrics)
    for key in ("data", "ablations", "robustness", "slices", "uncertainty"):
        del metrics[key]
    for entry in metrics["heads"].values():
        entry.pop("training", None)
    old = full_manifest().model_copy(update={"metrics": metrics, "graph_hash": None, "cost": None})
    for text in texts(card_facts(old)):
        assert "2025-10-01 to 2025-11-01" in text
        assert "Not measured" in text


def test_cells_parts_and_prose() -> None:
    """Intervals go to a second line, verdicts get their class, wide tables theirs, and only backticks make code."""
    assert two_lines("0.713 (0.67 to 0.75)") == ("0.713", "0.67 to 0.75")
    assert two_lines("+0.010 ± 0.020 x P(churn)") == ("+0.010", "± 0.020 x P(churn)")
    assert two_lines("met (so far)") == ("met (so far)", "")
    assert [verdict_class(cell) for cell in ("met", "met, but so does flagging nobody (0.952)", "0.9")] == [
        "met",
        "undecided",
        "",
    ]
    assert verdict_class("beyond (refuses)") == "missed"
    assert [on_a_phone(3, 99), on_a_phone(9, 4), on_a_phone(6, 23)] == ["", "stacked", "long"]
    assert str(prose("`a` <b>")) == "<code>a</code> &lt;b&gt;"
