"""Gates that compare trajectory, long horizon and amount with the champion's: what learnt nothing does not pass."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from feature_repo.tables.dataset import DatasetInfo
from tests.training import rivals, toy, toy_outlook
from tests.training.test_outlook import SETTINGS, definitions
from training.evaluation.held_out import AMOUNT_LABEL, LATER, TRAJECTORY_LABEL
from training.gates import Candidate
from training.heads.amount import fit_amount
from training.heads.long_horizon import fit_long_interval
from training.limits import load_limits
from training.outlook_trajectory import trajectory_of
from training.promotion.of_bundles import loss_gate
from training.promotion.of_outlook_compared import outlook_comparison_gates
from training.train import train_on

LIMITS = load_limits().model_copy(update={"samples": 60})
PARTS = ("health trajectory", "upsell 365d", "amount")


def made_sources(rows):
    """Return sources of the toy world in which amounts go by plan, without draws."""
    made = toy_outlook.sources(rows, draws=60)
    noise = 0.05 * np.random.default_rng(4).normal(size=len(rows.labels))
    ratio = np.where(
        rows.labels.event_days["upsell"] < 90, 0.1 + 0.25 * rows.matrix[:, toy.NAMES.index("plan")], np.nan
    )
    return dataclasses.replace(made, log_ratios=ratio + noise, treatments=None, draws=None)


def refitted_trajectory(models, rows, sources, seed):
    """Return a trajectory head of *sources*, fitted with *seed* beside the heads of *models*."""
    fitting = {"definitions": definitions(), "feature_names": list(toy.NAMES), "seed": seed, "num_threads": 1}
    head, _ = trajectory_of(
        models.head("churn"), rows, rows.parts(toy.SPLIT, definitions()), toy.SPLIT, sources, fitting,
        samples=20, seed=1,
    )  # fmt: skip
    return head


def without_meaning(models, rows, sources):
    """Return *models* whose trajectory, long horizon and amount were fitted to shuffled labels, and nothing else."""
    rng, parts = np.random.default_rng(9), rows.parts(toy.SPLIT, definitions())
    names = list(toy.NAMES)
    levels = dataclasses.replace(sources.levels, level=rng.permutation(sources.levels.level))
    trajectory = refitted_trajectory(models, rows, dataclasses.replace(sources, levels=levels), seed=5)
    labels = parts.refit.labels
    days = labels.event_days["upsell"].copy()
    beyond = np.flatnonzero(days >= 90)
    days[beyond] = days[rng.permutation(beyond)]
    shuffled = dataclasses.replace(labels, event_days={**labels.event_days, "upsell": days})
    long_interval = fit_long_interval(
        models.head("upsell"), dataclasses.replace(parts.refit, labels=shuffled)
    )
    ratios = sources.log_ratios.copy()
    told = np.flatnonzero(~np.isnan(ratios))
    ratios[told] = ratios[rng.permutation(told)]
    amount = fit_amount(
        rows.matrix, ratios, rows.matrix[:1], np.full(1, np.nan), plan_column=names.index("plan"), plans=3,
        feature_names=names, seed=5,
    )  # fmt: skip
    outlook = dataclasses.replace(
        models.outlook, trajectory=trajectory, long_interval=long_interval, amount=amount
    )
    return dataclasses.replace(models, outlook=outlook)


@pytest.fixture(scope="module")
def rows():
    """A small toy world in which events go on for long."""
    return toy.world(accounts=120, months_told=20)


@pytest.fixture(scope="module")
def models(rows):
    """Models of it."""
    return train_on(
        rows, toy.SPLIT, definitions(), dataset=DatasetInfo(name="toy"), seed=5, settings=SETTINGS,
        sources=made_sources(rows),
    )  # fmt: skip


@pytest.fixture(scope="module")
def sound(models, tmp_path_factory):
    """Their bundle, opened."""
    return rivals.opened(models, tmp_path_factory.mktemp("sound") / "models")


@pytest.fixture(scope="module")
def senseless(models, rows, tmp_path_factory):
    """The bundle of shuffled labels, opened."""
    made = without_meaning(models, rows, made_sources(rows))
    return rivals.opened(made, tmp_path_factory.mktemp("senseless") / "models")


def judged(bundle, models, champion, *, explain=None, limits=LIMITS):
    """Return the gates by what they are about."""
    candidate = Candidate(
        bundle, models.test_predictions, champion, explain, seed=1, later=models.held_out[LATER]
    )
    return {gate.subject: gate for gate in outlook_comparison_gates(candidate, limits)}


def test_an_outlook_that_learnt_nothing_is_refused(senseless, models, sound):
    """Fitted to shuffled labels, trajectory, long horizon and amount are each surely worse than the champion's."""
    found = judged(senseless, models, sound)
    assert tuple(found) == PARTS
    assert {gate.verdict for gate in found.values()} == {"refused"}, found
    assert "log loss +" in found["health trajectory"].value
    assert "AUC" in found["upsell 365d"].value
    assert "expansions" in found["upsell 365d"].note
    assert "squared error +" in found["amount"].value
    assert f"against {sound.tag}" in found["amount"].note


def test_an_outlook_as_good_as_the_champions_passes(sound, senseless, models):
    """Against itself the difference is exactly none; against a worse champion the sound one passes, too."""
    same = judged(sound, models, sound)
    assert {gate.verdict for gate in same.values()} == {"passed"}
    assert same["amount"].value == "squared error +0.0000 [+0.0000, +0.0000]"
    assert {gate.verdict for gate in judged(sound, models, senseless).values()} == {"passed"}


def test_the_same_trajectory_with_another_seed_is_not_refused(rows, models, sound, tmp_path):
    """A candidate that differs by the draw of rows and features alone passes, by the limits that ship."""
    other = refitted_trajectory(models, rows, made_sources(rows), seed=6)
    again = dataclasses.replace(models, outlook=dataclasses.replace(models.outlook, trajectory=other))
    gate = judged(rivals.opened(again, tmp_path / "models"), again, sound)["health trajectory"]
    assert gate.verdict == "passed", gate
    assert "+0.0000 [" not in gate.value


def test_a_part_that_only_one_of_them_has(sound, models):
    """What the champion lacks passes with a note; what the candidate lacks is a matter of what was lost."""
    bare = dataclasses.replace(
        sound, manifest=sound.manifest.model_copy(update={"trajectory": None, "amount": None})
    )
    found = judged(sound, models, bare)
    assert {gate.verdict for gate in found.values()} == {"passed"}
    assert "does not tell it; nothing to be worse than" in found["health trajectory"].note
    assert "log loss" in found["upsell 365d"].value
    lesser = Candidate(bare, models.test_predictions, sound, None, seed=1, later=models.held_out[LATER])
    assert [gate.subject for gate in outlook_comparison_gates(lesser, LIMITS)] == ["upsell 365d"]
    assert loss_gate(lesser).verdict == "refused"
    assert {gate.note for gate in judged(sound, models, None).values()} == {
        "there is no champion yet; nothing to be worse than"
    }


def test_without_rows_to_compare_on_somebody_must_say_why(sound, models):
    """Rows that were not kept, or lack the labels, are not measured until explained."""
    bare = dataclasses.replace(
        models, test_predictions=models.test_predictions.drop(columns=[TRAJECTORY_LABEL, AMOUNT_LABEL])
    )
    found = judged(sound, bare, sound)
    assert found["health trajectory"].verdict == found["amount"].verdict == "not measured"
    assert "train the candidate again" in found["amount"].note
    explained = judged(sound, bare, sound, explain="an old bundle")
    assert explained["amount"].verdict == "explained"
    candidate = Candidate(sound, None, sound, None, seed=1)
    assert {gate.verdict for gate in outlook_comparison_gates(candidate, LIMITS)} == {"not measured"}


def test_a_loss_within_the_limits_is_let_through(senseless, models, sound):
    """Limits of the file decide how much worse is still as good."""
    wide = {
        "max_trajectory_log_loss_rise": 9.0, "max_long_log_loss_rise": 9.0, "max_long_auc_loss": 1.0,
        "max_amount_error_rise": 9.0,
    }  # fmt: skip
    rules = LIMITS.comparison.model_copy(update=wide)
    found = judged(senseless, models, sound, limits=LIMITS.model_copy(update={"comparison": rules}))
    assert {gate.verdict for gate in found.values()} == {"passed"}


def test_rows_kept_for_the_long_horizon_lived_on_after_the_fit(models):
    """None had expanded by the last horizon, and each was seen beyond it and beyond the day of the fit."""
    later = models.held_out[LATER]
    fitted = np.datetime64(models.window.test[0], "D")
    reach = (fitted - later["cutoff"].to_numpy().astype("datetime64[D]")).astype(float)
    assert len(later) > 100
    assert not (later["upsell_event_days"] < 90).any()
    assert (later["upsell_observed_days"] > np.maximum(90, reach)).all()
