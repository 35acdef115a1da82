"""Gates: each lets a sound bundle pass and refuses one that is wrong in its own way."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time

import numpy as np
import pytest

from feature_repo.contract import FeatureContract
from tests.training import rivals
from training.errors import LimitsError
from training.evaluation.held_out import FEATURE
from training.gates import Candidate, judge
from training.limits import LIMITS_FILE, Limits, load_limits

LIMITS = load_limits().model_copy(
    update={"samples": 60, "parity": load_limits().parity.model_copy(update={"min_rows": 1_000})}
)


def verdicts(bundle, rows, champion=None, *, explain=None, limits=LIMITS, clock=time.perf_counter):
    """Return the gates by name and subject."""
    gates = judge(Candidate(bundle, rows, champion, explain, seed=1), limits, clock)
    return {(gate.name, gate.subject, gate.value.split(" ")[0]): gate for gate in gates}


def refused(found):
    """Return the names of the gates that do not hold."""
    return {name for (name, _, _), gate in found.items() if not gate.holds}


def test_a_sound_bundle_passes_every_gate(right_bundle, right_rows, wrong_bundle):
    """The bundle that the rows follow replaces one that they do not follow."""
    found = verdicts(right_bundle, right_rows, wrong_bundle)
    assert refused(found) - {"not slower"} == set()  # how busy the machine is, is no matter of this test
    assert {name for name, _, _ in found} == {
        "not worse",
        "calibrated",
        "not leaking",
        "fair",
        "in parity",
        "not slower",
        "not too good",
    }


def test_a_worse_bundle_is_refused_on_the_same_rows(wrong_bundle, wrong_rows, right_bundle):
    """A candidate that ranks surely worse than the champion is refused, and miscalibrated besides."""
    found = verdicts(wrong_bundle, wrong_rows, right_bundle)
    gate = next(gate for gate in found.values() if gate.name == "not worse" and gate.subject == "churn 90d")
    assert gate.verdict == "refused"
    assert "2400 rows of 1200 accounts" in gate.note
    assert "calibrated" in refused(found)


def test_an_equal_bundle_is_not_worse(right_bundle, right_rows):
    """Against itself the difference is exactly none, which is as good."""
    gate = next(
        gate for gate in verdicts(right_bundle, right_rows, right_bundle).values() if gate.name == "not worse"
    )
    assert gate.verdict == "passed"
    assert gate.value == "AUC +0.0000 [+0.0000, +0.0000], log loss +0.0000 [+0.0000, +0.0000]"


def test_without_a_champion_a_bundle_must_beat_chance(right_bundle, right_rows):
    """The first bundle is compared with chance, by the intervals that it reports."""
    gate = next(gate for gate in verdicts(right_bundle, right_rows).values() if gate.name == "not worse")
    assert gate.verdict == "passed"
    assert "no champion" in gate.note


def test_without_test_rows_reports_are_compared_and_the_rest_is_not_measured(right_bundle, wrong_bundle):
    """A gate that can't be measured holds nothing back but the bundle itself."""
    found = verdicts(right_bundle, None, wrong_bundle)
    gate = next(gate for gate in found.values() if gate.name == "not worse")
    assert gate.verdict == "passed"
    assert "reported figures" in gate.note
    assert {"calibrated", "fair", "not leaking"} <= refused(found)
    assert all(gate.verdict == "not measured" for gate in found.values() if gate.name == "fair")


@pytest.mark.parametrize("how", ["number", "missing", "category"])
def test_a_leak_is_refused_whatever_its_form(right_bundle, right_rows, how):
    """A feature that knows the answer by its order, by being absent, or by its category is named."""
    label = right_rows["churn_90d_label"].to_numpy()
    name, values = {
        "number": ("mrr", label * 5.0 + np.linspace(0, 1, len(label))),
        "missing": ("mrr", np.where(label > 0, np.nan, 7.0 + np.arange(len(label)))),
        "category": ("plan", np.where(label > 0, "team", "basic")),
    }[how]
    gates = verdicts(right_bundle, right_rows.assign(**{FEATURE + name: values})).values()
    gate = next(gate for gate in gates if gate.name == "not leaking" and gate.subject == "churn 90d")
    assert gate.verdict == "refused"
    assert gate.value.startswith(name)


def test_an_unfair_bundle_is_refused_by_the_slice(right_bundle, right_rows):
    """Where events of one plan never come though they were predicted, the calibration gap of that plan refuses."""
    unlucky = right_rows[FEATURE + "plan"] == "team"
    rows = right_rows.assign(churn_90d_label=np.where(unlucky, 0.0, right_rows["churn_90d_label"]))
    gates = verdicts(right_bundle, rows).values()
    gate = next(gate for gate in gates if gate.name == "fair" and gate.subject == "churn 90d")
    assert gate.verdict == "refused"
    assert "calibration of plan team" in gate.value


def test_predictions_that_the_graph_no_longer_gives_break_parity(right_bundle, wrong_rows):
    """Rows that were recorded by other models show that graph and training differ."""
    gate = next(gate for gate in verdicts(right_bundle, wrong_rows).values() if gate.name == "in parity")
    assert gate.verdict == "refused"
    assert "recorded test predictions within" in gate.note


def test_a_parity_check_on_few_rows_is_refused(right_bundle, right_rows):
    """The default limits ask for ten thousand rows at export."""
    strict = LIMITS.model_copy(update={"parity": load_limits().parity})
    assert "in parity" in refused(verdicts(right_bundle, right_rows, limits=strict))


def test_a_slower_graph_is_refused(right_bundle, right_rows, wrong_bundle):
    """By a clock on which the candidate's calls take three times as long, it is refused."""
    ticks = iter(np.cumsum([0.0, *_ticks()]))
    found = verdicts(right_bundle, right_rows, wrong_bundle, clock=lambda: float(next(ticks)))
    gate = next(gate for gate in found.values() if gate.name == "not slower")
    assert gate.verdict == "refused"
    assert gate.value.startswith("3.00 times")


def _ticks():
    """Return the times between readings of the clock: candidate 3, champion 1, in turns that swap."""
    steps = []
    for number in range(61):
        for which in (0, 1) if number % 2 else (1, 0):
            steps += [3.0 if which == 0 else 1.0, 0.0]
        if not number:
            steps = [0.0, 0.0]  # the warm-up reads the clock once a call, and no end
    return steps


def test_a_suspiciously_good_bundle_needs_an_explanation(right_bundle, right_rows):
    """Over the limit it is refused until somebody says why, and then the words are kept."""
    strict = LIMITS.model_copy(update={"suspicion": LIMITS.suspicion.model_copy(update={"max_auc": 0.6})})
    assert "not too good" in refused(verdicts(right_bundle, right_rows, limits=strict))
    found = verdicts(right_bundle, right_rows, limits=strict, explain="the world is made so")
    gate = next(gate for gate in found.values() if gate.name == "not too good")
    assert (gate.verdict, gate.note) == ("explained", "the world is made so")


def test_rows_that_the_champion_was_trained_on_do_not_count(right_bundle, wrong_rows, wrong_bundle, tmp_path):
    """A champion whose test begins after all of the candidate's rows is compared by reports, and that is said."""
    later = rivals.opened(rivals.tested_from(rivals.RIGHT, dt.date(2026, 6, 1)), tmp_path / "models")
    found = verdicts(wrong_bundle, wrong_rows, later)
    gate = next(gate for gate in found.values() if gate.name == "not worse")
    assert "reported figures" in gate.note
    assert "not been trained on" in gate.note
    assert right_bundle.manifest.window != later.manifest.window


def test_a_champion_that_reads_other_features_is_compared_by_reports(right_bundle, right_rows, wrong_bundle):
    """Rows without one of the champion's features can't be scored by it, and the note names the feature."""
    values = wrong_bundle.manifest.contract.model_dump()
    for feature in values["features"]:
        feature["name"] = "elsewhere" if feature["name"] == "mrr" else feature["name"]
    renamed = FeatureContract.model_validate(values)
    manifest = wrong_bundle.manifest.model_copy(update={"contract": renamed})
    found = verdicts(right_bundle, right_rows, dataclasses.replace(wrong_bundle, manifest=manifest))
    gate = next(gate for gate in found.values() if gate.name == "not worse")
    assert "elsewhere" in gate.note


def test_the_file_of_limits_says_what_the_code_takes_by_default(tmp_path):
    """The default file and the defaults agree; a wrong file is refused with the field's name."""
    assert load_limits(LIMITS_FILE) == Limits()
    assert load_limits().hash == Limits().hash
    wrong = tmp_path / "limits.yaml"
    wrong.write_text("calibration: {slope: [1.2, 1.4]}\n", encoding="utf-8")
    with pytest.raises(LimitsError, match=r"calibration\.slope"):
        load_limits(wrong)
    wrong.write_text("speed: {max_ratoi: 2}\n", encoding="utf-8")
    with pytest.raises(LimitsError, match="max_ratoi"):
        load_limits(wrong)
