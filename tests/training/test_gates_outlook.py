"""Gates on intervals and outlook: a bundle that has them is judged by them, one that has none is not."""

from __future__ import annotations

import dataclasses
import itertools
import time

import numpy as np
import pytest

from tests.training import rivals
from tests.training.export.small_models import make_matrix
from tests.training.small_outlook import make_outlook
from tests.training.test_gates import LIMITS as OF_HEADS
from training.evaluation.trajectory_report import trajectory_report
from training.gates import Candidate, judge
from training.promotion.of_bundles import outlook_parity_gate, outlook_speed_gate
from training.promotion.of_outlook import trajectory_gates
from training.promotion.of_uplift import uplift_gates

LIMITS = OF_HEADS.model_copy(update={"parity": OF_HEADS.parity.model_copy(update={"min_outlook_rows": 100})})


def with_outlook(models, **narrowed):
    """Return *models* with a random outlook whose uncertainties are *narrowed*."""
    matrix = make_matrix(np.random.default_rng(1), 500)
    outlook = make_outlook(models.heads, matrix, plan_column=5)
    sure = {
        name: dataclasses.replace(one, **{key: (value,) * 3 for key, value in narrowed.items()})
        for name, one in outlook.uncertainty.items()
    }
    return dataclasses.replace(models, outlook=dataclasses.replace(outlook, uncertainty=sure))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The bundle that the rows follow, with intervals."""
    return rivals.opened(with_outlook(rivals.RIGHT), tmp_path_factory.mktemp("sound") / "models")


def gates(bundle, rows, clock=time.perf_counter):
    """Return the gates of *bundle* without a champion."""
    return judge(Candidate(bundle, rows, None, None, seed=1), LIMITS, clock)


def the(name, gates, subject="bundle"):
    """Return the one gate called *name* on *subject*."""
    (found,) = [gate for gate in gates if (gate.name, gate.subject) == (name, subject)]
    return found


def told(bundle, **metrics):
    """Return *bundle* with other metrics in its manifest."""
    manifest = bundle.manifest.model_copy(update={"metrics": bundle.manifest.metrics | metrics})
    return dataclasses.replace(bundle, manifest=manifest)


def acting(low, value, high, *, draws=900):
    """Return what training reports of acting by effects: the gain over doing nothing, of both outcomes."""
    gain = {"value": value, "low": low, "high": high}
    policy = {"draws": draws, "uplift_less_others": {"nothing": gain}}
    split = {"held_out_from": "2026-01-01", "held_out_draws": draws}
    return {"outcomes": {name: {"policy": policy, "split": split} for name in ("retained", "expanded")}}


def test_intervals_that_hold_and_an_outlook_that_is_fast_pass(sound, right_rows):
    """Where events come as the heads say, intervals hold; both gates are there and pass."""
    found = {(gate.name, gate.subject): gate for gate in gates(sound, right_rows)}
    for head in ("churn 30d", "churn 60d", "churn 90d", "upsell 30d", "upsell 60d", "upsell 90d"):
        assert found["intervals hold", head].verdict == "passed"
        assert "of 10 groups" in found["intervals hold", head].value
    assert found["outlook not slow", "bundle"].verdict == "passed"
    assert found["outlook in parity", "bundle"].verdict == "passed"


def test_intervals_that_are_sure_of_wrong_probabilities_are_refused(tmp_path, wrong_rows):
    """A head that is wrong and yet sure of itself has intervals that hold too few groups."""
    narrow = with_outlook(rivals.WRONG, scale=0.0, floor=0.0)
    found = [
        gate
        for gate in gates(rivals.opened(narrow, tmp_path / "models"), wrong_rows)
        if gate.name == "intervals hold"
    ]
    assert {gate.verdict for gate in found} == {"refused"}
    assert len(found) == 6


def timed(spent):
    """Return a clock by which the two calls of each pair take as long as *spent* says."""
    readings = itertools.count()
    pairs = 301
    alone = pairs * 2  # one graph alone is timed first: two readings a call

    def clock():
        number = next(readings)
        if number < alone:
            return float(number)
        pair, within = divmod(number - alone, 4)
        first, second = spent if pair % 2 else reversed(spent)
        return 1e4 * pair + (0.0, first, first, first + second)[within]

    return clock


def test_an_outlook_that_takes_far_longer_is_refused(sound, right_rows):
    """By a clock on which calls with the outlook take thirty times as long, the bundle is refused; by twenty, not."""
    for times, verdict in ((30.0, "refused"), (20.0, "passed")):
        gate = the("outlook not slow", gates(sound, right_rows, timed((1.0, times))))
        assert (gate.verdict, gate.value) == (verdict, f"{times:.1f} times a call without")


def test_an_outlook_slower_than_the_champions_is_refused(sound, right_rows, right_bundle):
    """Where the champion has one, it is timed in turns with that; where it has none, with the candidate's own core."""
    candidate = Candidate(sound, right_rows, sound, None, seed=1)
    for times, verdict in ((3.0, "refused"), (1.5, "passed")):
        gate = the("outlook not slow", [outlook_speed_gate(candidate, LIMITS, alternating((times, 1.0)))])
        assert gate.verdict == verdict
        assert gate.value.startswith(f"{times:.2f} times")
    plain = dataclasses.replace(candidate, champion=right_bundle)
    assert (
        "a call without"
        in the("outlook not slow", [outlook_speed_gate(plain, LIMITS, time.perf_counter)]).value
    )


def alternating(spent):
    """Return a clock by which the two calls of each pair take as long as *spent* says, from the first reading on."""
    clock = timed(spent)
    for _ in range(301 * 2):
        clock()
    return clock


def test_an_outlook_that_export_did_not_compare_is_not_measured(sound, right_rows):
    """No figure is not measured; a difference, or too few rows, is refused; the exporter's own figures pass."""
    figures = sound.manifest.metrics["outlook_parity"]
    cases = {
        "not measured": [{}, figures | {"largest": {"effects": 0.0}}],
        "refused": [figures | {"largest": figures["largest"] | {"effects": 1e-6}}, figures | {"rows": 99}],
        "passed": [figures],
    }
    for verdict, reports in cases.items():
        for report in reports:
            candidate = Candidate(told(sound, outlook_parity=report), right_rows, None, None, seed=1)
            assert outlook_parity_gate(candidate, LIMITS).verdict == verdict


def test_acting_by_effects_that_bring_surely_less_is_refused(sound, right_rows):
    """Against the champion's, and without one against doing nothing; a difference within noise passes."""
    good, even, bad = acting(0.02, 0.03, 0.04), acting(0.01, 0.025, 0.04), acting(-0.04, -0.03, -0.02)
    for ours, theirs, verdict in (
        (good, None, "passed"), (bad, None, "refused"), (even, good, "passed"), (bad, good, "refused"),
        (good, {}, "passed"),
    ):  # fmt: skip
        champion = None if theirs is None else told(sound, uplift=theirs)
        candidate = Candidate(told(sound, uplift=ours), right_rows, champion, None, seed=1)
        found = uplift_gates(candidate, LIMITS)
        assert [gate.subject for gate in found] == ["retained", "expanded"]
        assert {gate.verdict for gate in found} == {verdict}, (ours, theirs)


def test_effects_are_compared_on_the_same_draws_or_it_is_said(sound, right_rows):
    """Two trainings on the same data held out the same draws; on others the note says so."""
    ours = told(sound, uplift=acting(0.02, 0.03, 0.04))
    for draws, note in (
        (900, "the same 900 held-out draws"),
        (700, "each of its own held-out draws (900 and 700)"),
    ):
        champion = told(sound, uplift=acting(0.02, 0.03, 0.04, draws=draws))
        (first, _) = uplift_gates(Candidate(ours, right_rows, champion, None, seed=1), LIMITS)
        assert note in first.note


def test_effects_that_were_never_judged_need_an_explanation(sound, right_rows):
    """With too few draws to judge them by, a bundle is not promoted until somebody says why it may be."""
    report = {"outcomes": {"retained": {"choice": {"reason": "fewer than 400 draws"}}}}
    for words, verdict in ((None, "not measured"), ("a first trial", "explained")):
        found = uplift_gates(Candidate(told(sound, uplift=report), right_rows, None, words, seed=1), LIMITS)
        assert [gate.verdict for gate in found] == [verdict] * 2
        assert "fewer than 400 draws" in found[0].note


def test_a_bundle_without_them_is_not_asked_for_them(right_bundle, right_rows):
    """Bundles of heads alone have neither gate."""
    names = {gate.name for gate in gates(right_bundle, right_rows)}
    assert not names & {"intervals hold", "outlook not slow", "outlook in parity", "uplift not worse"}


def with_trajectory_report(models, *, power=1.0, of=slice(None)):
    """Return *models* with an outlook and a report of a trajectory: the truth to a *power*, said of the rows *of*."""
    rng = np.random.default_rng(4)
    truth = rng.dirichlet(np.ones(3), 2_000)
    label = (rng.random((2_000, 1)) > np.cumsum(truth, axis=1)).sum(axis=1).clip(0, 2).astype(float)
    said = (truth**power / (truth**power).sum(axis=1, keepdims=True))[of]
    accounts = np.array([f"a{number}" for number in range(2_000)], dtype=object)
    report = trajectory_report(said, label, accounts, np.full(3, 1 / 3), samples=50, seed=1)
    made = with_outlook(models)
    told = {"definition": "Declining or improving.", "days": 90, **report}
    return dataclasses.replace(made, metrics={**made.metrics, "trajectory": told})


@pytest.mark.parametrize(("power", "verdict"), [(1.0, "passed"), (3.0, "refused")])
def test_a_trajectory_that_is_surely_miscalibrated_is_refused(power, verdict, tmp_path, right_rows):
    """Right probabilities pass; exaggerated ones are refused with the classes whose error surely is too large."""
    bundle = rivals.opened(with_trajectory_report(rivals.RIGHT, power=power), tmp_path / "models")
    gate = the("calibrated", gates(bundle, right_rows), "health trajectory")
    assert (gate.name, gate.verdict) == ("calibrated", verdict)
    assert "improving 0." in gate.value
    assert ("surely beyond: declining" in gate.note) == (verdict == "refused")


ROWS = np.arange(2_000)


@pytest.mark.parametrize(
    ("of", "power", "verdict"),
    [
        (ROWS, 1.0, "passed"),
        (ROWS, 0.0, "passed"),
        (np.random.default_rng(2).permutation(ROWS), 1.0, "refused"),
    ],
    ids=["the truth", "the shares", "shuffled"],
)
def test_a_trajectory_that_is_worse_than_class_shares_is_refused(of, power, verdict, tmp_path, right_rows):
    """Without a champion, the truth and the shares themselves pass; the truth of other rows loses surely more."""
    made = with_trajectory_report(rivals.RIGHT, power=power, of=of)
    gate = the(
        "not worse than shares",
        gates(rivals.opened(made, tmp_path / "models"), right_rows),
        "health trajectory",
    )
    assert (gate.verdict, gate.limit) == (verdict, "log loss not surely over +0")
    assert gate.note.endswith("on 2000 test rows")
    if power == 0.0:
        assert gate.value == "log loss +0.0000 [+0.0000, +0.0000]"


def test_how_far_a_trajectory_may_be_over_class_shares_is_a_limit(sound, right_rows):
    """The whole interval must lie over the limit of the file; a champion changes nothing."""
    report = {"rows": 500, "log_loss_gain": {"value": -0.06, "low": -0.09, "high": -0.03}}
    bundle = told(sound, trajectory=report)
    for most, verdict in ((0.02, "refused"), (0.03, "passed"), (0.05, "passed")):
        rules = LIMITS.comparison.model_copy(update={"max_trajectory_log_loss_over_shares": most})
        for champion in (None, sound):
            candidate = Candidate(bundle, right_rows, champion, None, seed=1)
            found = trajectory_gates(candidate, LIMITS.model_copy(update={"comparison": rules}))
            gate = the("not worse than shares", found, "health trajectory")
            assert (gate.verdict, gate.value) == (verdict, "log loss +0.0600 [+0.0300, +0.0900]")


@pytest.mark.parametrize("name", ["calibrated", "not worse than shares"])
def test_a_trajectory_that_nobody_measured_needs_an_explanation(name, sound, right_bundle, right_rows):
    """Without figures of it a bundle is not passed until somebody says why; one without a trajectory is not asked."""
    gate = the(name, gates(sound, right_rows), "health trajectory")
    assert gate.verdict == "not measured"
    assert gate.note.startswith("the bundle reports no ")
    none = {"unmeasured": "No test row's health is known at the end of the horizon."}
    for words, verdict in ((None, "not measured"), ("new data", "explained")):
        candidate = Candidate(told(sound, trajectory=none), right_rows, None, words, seed=1)
        gate = the(name, trajectory_gates(candidate, LIMITS), "health trajectory")
        assert (gate.verdict, gate.value) == (verdict, "-")
        assert gate.note.startswith("No test row's health is known")
        assert (words or "--explain") in gate.note
    assert "health trajectory" not in {one.subject for one in gates(right_bundle, right_rows)}
