"""What is trained beyond probabilities by horizon: each part is there, says how good it is, or says why it is not."""

from __future__ import annotations

import datetime as dt
import json
import threading
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest

from feature_repo.tables.dataset import DatasetInfo
from tests.training import toy, toy_outlook
from training.card.facts import card_facts
from training.card.render import render_html, render_markdown
from training.definitions import Definitions
from training.evaluation.held_out import AMOUNT_LABEL, DRAWS, LATER, TRAJECTORY_LABEL
from training.evaluation.held_out_draws import arms_of, as_log, draws_of
from training.evaluation.policy_value import doubly_robust, greedy_policy
from training.export.bundle import export_bundle
from training.outlook_values import is_moved
from training.settings import TrainingSettings
from training.train import train_on

SETTINGS = TrainingSettings(num_threads=1, bootstrap_samples=30, background_rows=300, uplift_bags=3)


def definitions():
    """Return the default definitions with few rounds."""
    values = toy.DEFINITIONS.model_dump()
    for stage in values["model"]["stages"]:
        stage["max_rounds"], stage["max_interval_rounds"] = 20, 3
    return Definitions.model_validate(values)


def trained_on(rows, sources):
    """Train on *rows* with *sources*."""
    return train_on(
        rows,
        toy.SPLIT,
        definitions(),
        dataset=DatasetInfo(name="toy"),
        seed=5,
        settings=SETTINGS,
        sources=sources,
    )


@pytest.fixture(scope="module")
def rows():
    """A small toy world."""
    return toy.world(accounts=100, months_told=20)


@pytest.fixture(scope="module")
def threads_beside():
    """Threads of every LightGBM call that was made beside another, None where the call left them open."""
    return []


@pytest.fixture(scope="module")
def models(rows, threads_beside):
    """Models of it with everything."""

    def told(function, position, key):
        def asked(*words, **named):
            if threading.current_thread() is not threading.main_thread():
                given = named if position is None else (named.get(key) or words[position])
                threads_beside.append((given or {}).get("num_threads"))
            return function(*words, **named)

        return asked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lgb.Booster, "predict", told(lgb.Booster.predict, None, ""))
        patch.setattr(lgb, "train", told(lgb.train, 0, "params"))
        return trained_on(rows, toy_outlook.sources(rows, draws=1_200, leavers=400))


def test_lightgbm_beside_itself_takes_one_thread_by_name(models, threads_beside):
    """Its number of threads is the process's: a call that leaves it open would break a data set being filled."""
    assert models.outlook.effects is not None
    assert len(threads_beside) > 100
    assert set(threads_beside) == {1}


@pytest.fixture(scope="module")
def bare():
    """Models of data that reach a short time, with a few draws and neither health nor amounts."""
    rows = toy.world(accounts=60)
    labels = rows.labels
    days = np.where(labels.event_days["upsell"] >= 90, np.inf, labels.event_days["upsell"])
    rows = replace(rows, labels=replace(labels, event_days={**labels.event_days, "upsell": days}))
    sources = toy_outlook.sources(rows, draws=60)
    sources = replace(
        sources,
        log_ratios=np.full(len(rows.labels), np.nan),
        levels=None,
        absent={"levels": "No levels."},
    )
    return trained_on(rows, sources)


@pytest.fixture(scope="module")
def exported(models):
    """The bundle of the models with everything."""
    moment = toy.SPLIT.test.known_by
    return export_bundle(
        models, trained_at=dt.datetime(moment.year, moment.month, 1, tzinfo=dt.UTC),
        parity_rows=2_000, code="1.0+test",
    )  # fmt: skip


def test_every_part_is_trained_and_reported(models):
    """All parts are there, and the figures of each are JSON without NaN."""
    outlook = models.outlook
    assert set(outlook.uncertainty) == {"churn", "upsell"}
    for part in (outlook.support, outlook.long_interval, outlook.amount, outlook.trajectory, outlook.effects):
        assert part is not None
    told = json.loads(json.dumps(outlook.metrics))
    assert set(told) == {
        "uncertainty", "support", "long_horizon", "amount", "trajectory", "uplift", "winback",
    }  # fmt: skip
    assert told["uncertainty"]["churn"]["horizons"]["90d"]["with_sampling"] >= 0.6
    assert told["trajectory"]["log_loss_gain"]["low"] > 0
    assert told["support"]["strangers"]["refused_share"] > told["support"]["refused_share"]
    assert told["uplift"]["left_out_draws"] == {"open": 3}
    assert all(key not in models.metrics or models.metrics[key] == outlook.metrics[key] for key in told)


def test_the_long_horizon_is_judged_by_what_came_after_the_fit(models):
    """Expansions seen only after the test began stand against those expected, near one on a steady world."""
    told = models.metrics["long_horizon"]
    assert told["days"] == 365
    assert told["observed"] > 0
    assert told["observed_to_expected"]["low"] < 1.3
    assert told["observed_to_expected"]["high"] > 0.7


def test_rows_and_draws_to_compare_a_later_bundle_on_are_kept(models):
    """Test rows hold health's class and the amount; later rows and the draws of both outcomes stand beside them."""
    rows = models.test_predictions
    assert set(rows[TRAJECTORY_LABEL].dropna()) == {"declining", "stable", "improving"}
    assert rows[TRAJECTORY_LABEL].notna().sum() == models.metrics["trajectory"]["rows"]
    assert rows[AMOUNT_LABEL].notna().sum() == models.metrics["amount"]["expansions"]
    assert set(models.held_out) == {LATER, DRAWS}
    draws = models.held_out[DRAWS]
    told = models.metrics["uplift"]["outcomes"]
    assert set(draws["outcome"]) == {"retained", "expanded"}
    assert "400 draws were known" in told["returned"]["choice"]["reason"]
    for outcome in ("retained", "expanded"):
        mine = draws_of(draws, outcome)
        policy = told[outcome]["policy"]
        assert len(mine) == policy["draws"]
        log = as_log(mine)
        effects = mine[[f"effect:{name}" for name in arms_of(mine)[1:]]].to_numpy(dtype=float)
        taken = greedy_policy(effects, log.propensities)
        expected = mine[[f"expected:{name}" for name in arms_of(mine)]].to_numpy(dtype=float)
        value = float(doubly_robust(log, taken, expected)[0])
        assert value == pytest.approx(policy["value"]["uplift"]["doubly_robust"]["value"], abs=1e-6)


def test_effects_stand_by_action_and_outcome_with_their_basis(models):
    """Drawn actions have heads of the outcomes that their draws teach; these taught the planted effects."""
    effects = models.outlook.effects
    assert {(head.action, head.outcome) for head in effects.heads} == {
        (action, outcome)
        for action in (toy_outlook.GUIDE, toy_outlook.CALL)
        for outcome in ("retained", "expanded")
    } | {(toy_outlook.BACK, "returned")}
    learnt = {
        (head.action, head.outcome): flag for head, flag in zip(effects.heads, effects.learnt, strict=True)
    }
    assert learnt[toy_outlook.GUIDE, "expanded"]
    assert learnt[toy_outlook.BACK, "returned"]
    assert not all(learnt.values())
    assert all(is_moved(head) for head in effects.heads)
    assert min(effects.draws) > 300
    call = next(one for one in effects.heads if (one.action, one.outcome) == (toy_outlook.CALL, "retained"))
    assert call.prior == toy_outlook.PRIORS[toy_outlook.CALL, "retained"]


def test_an_effect_that_was_planted_is_found(models, rows):
    """The guide raises expansion; its mean effect over accounts lies near the planted 15 points."""
    effects = models.outlook.effects
    found, error = effects.effects(models.head("churn"), rows.matrix[:500])
    column = next(
        at
        for at, head in enumerate(effects.heads)
        if (head.action, head.outcome) == (toy_outlook.GUIDE, "expanded")
    )
    assert found[:, column].mean() == pytest.approx(0.15, abs=3.5 * float(error[:, column].mean()) + 0.03)


def test_an_effect_on_accounts_that_had_left_is_found_on_their_draws_alone(models, rows):
    """The call brings back 20 points more: its average lies near, and other outcomes never saw its draws."""
    effects = models.outlook.effects
    column = next(at for at, head in enumerate(effects.heads) if head.outcome == "returned")
    head = effects.heads[column]
    assert (head.action, effects.draws[column]) == (toy_outlook.BACK, 400)
    assert abs(head.average - toy_outlook.BROUGHT_BACK) < 3 * head.error_per_unit
    found, error = effects.effects(models.head("churn"), rows.matrix[:500])
    assert found[:, column].mean() > 2 * float(error[:, column].mean())
    told = models.metrics["uplift"]
    assert told["draws"] == 1_200
    for outcome in ("retained", "expanded"):
        assert toy_outlook.BACK not in told["outcomes"][outcome]["actions"]
        assert sum(one["shipped"]["draws"] for one in told["outcomes"][outcome]["actions"].values()) == 800


def test_what_the_data_can_not_bear_is_left_out_with_a_sentence(bare):
    """A part without enough data is None, and its metrics say what is missing; intervals and support stay."""
    outlook = bare.outlook
    assert (outlook.long_interval, outlook.amount, outlook.trajectory, outlook.effects) == (None,) * 4
    assert set(outlook.uncertainty) == {"churn", "upsell"}
    assert outlook.support is not None
    assert not outlook.has_outputs
    told = outlook.metrics
    assert told["trajectory"] == {"left_out": "No levels."}
    assert "0 events were seen; at least 15" in told["long_horizon"]["left_out"]
    assert "no expansion in training" in told["amount"]["left_out"]
    assert "100 are needed. Declared priors serve as they are." in told["uplift"]["left_out"]


def test_the_bundle_names_every_output_and_the_card_shows_every_part(exported):
    """The manifest has intervals, support, long horizon, amount, trajectory and effects; the card shows each."""
    manifest = exported.manifest
    assert {head.low_output for head in manifest.heads} == {"churn_low", "upsell_low"}
    for part in (manifest.support, manifest.long_horizon, manifest.amount, manifest.trajectory):
        assert part is not None
    assert len(manifest.effects.columns) == 5
    assert {one.basis for one in manifest.effects.columns} == {"uplift", "blend"}
    assert manifest.null_views is not None
    assert max(manifest.null_views.values()) < 1
    facts = card_facts(manifest)
    page, text = render_html(facts), render_markdown(facts)
    for shown in (
        "Coverage of intervals on test rows",
        "Refusal",
        "Calibration: declining",
        "observed / expected",
        "mean absolute error, as a share of MRR",
        "Heads that ship",
        "doubly robust",
        "persuadable",
    ):
        assert shown in page
        assert shown in text or shown.startswith("Calibration")


def test_the_card_says_what_was_left_out(bare):
    """Parts that were left out stand on the card with their sentence."""
    facts = card_facts(
        export_bundle(
            bare, trained_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            parity_rows=500, code="1.0+test",
        ).manifest
    )  # fmt: skip
    page = render_html(facts)
    assert "Left out. Of 60 draws" in page
    assert "Left out. No levels." in page
