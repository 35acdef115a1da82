"""Gates: each lets a sound bundle pass and refuses one that is wrong in its own way."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time

import numpy as np
import pytest

from feature_repo.contract import FeatureContract
from tests.training import rivals
from training.evaluation import metrics
from training.evaluation.held_out import FEATURE
from training.gates import Candidate, judge
from training.limits import RefusedBy, load_limits
from training.promotion.gate import judged_heads
from training.promotion.of_bundles import comparison_gate, graph_gate
from training.promotion.of_rows import calibration_gates

WHOLE = load_limits().model_copy(
    update={"samples": 60, "parity": load_limits().parity.model_copy(update={"min_rows": 1_000})}
)
TOLD = ("size", "tenure", "plan")
LIMITS = WHOLE.model_copy(
    update={
        "fairness": WHOLE.fairness.model_copy(
            update={"refused_by": RefusedBy(selection=(), equal_opportunity=(), calibration=TOLD)}
        )
    }
)
"""The rows tell neither region nor segment, so a file of limits for such accounts names neither."""


def verdicts(bundle, rows, champion=None, *, explain=None, limits=LIMITS, clock=time.perf_counter):
    """Return the gates by name and subject."""
    gates = judge(Candidate(bundle, rows, champion, explain, seed=1), limits, clock)
    return {(gate.name, gate.subject, gate.value): gate for gate in gates}


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
        "as exported",
        "nothing lost",
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
    found = verdicts(right_bundle, right_rows)
    gate = next(gate for gate in found.values() if (gate.name, gate.subject) == ("not worse", "churn 90d"))
    assert gate.verdict == "passed"
    assert "no champion" in gate.note


def test_a_horizon_that_the_champion_lacks_is_compared_with_chance(right_bundle, right_rows):
    """A new horizon is no reason to refuse a bundle for ever."""
    manifest = right_bundle.manifest
    shorter = tuple(
        head.model_copy(update={"horizons_days": head.horizons_days[:-1]}) for head in manifest.heads
    )
    champion = dataclasses.replace(right_bundle, manifest=manifest.model_copy(update={"heads": shorter}))
    candidate = Candidate(right_bundle, right_rows, champion, None, seed=1)
    head = manifest.heads[0]
    new = comparison_gate(candidate, head.name, head.horizons_days[-1], LIMITS, heads=2)
    assert new.verdict == "passed"
    assert "does not predict it; compared with chance" in new.note
    assert "against" in comparison_gate(candidate, head.name, head.horizons_days[0], LIMITS, heads=2).note


def test_without_test_rows_reports_are_compared_and_the_rest_is_not_measured(right_bundle, wrong_bundle):
    """A gate that can't be measured holds nothing back but the bundle itself."""
    found = verdicts(right_bundle, None, wrong_bundle)
    gate = next(gate for gate in found.values() if (gate.name, gate.subject) == ("not worse", "churn 90d"))
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


def test_an_unmeasured_slice_column_is_not_passed(right_bundle, right_rows):
    """By limits that name region and segment, which no feature tells here, nothing is shown to be fair."""
    gates = [
        gate for gate in verdicts(right_bundle, right_rows, limits=WHOLE).values() if gate.name == "fair"
    ]
    missing = [gate for gate in gates if gate.verdict == "not measured"]
    assert {"churn 90d", "upsell 90d"} <= {gate.subject for gate in missing}
    told = (
        "region (selection, equal opportunity, calibration): no feature tells it; segment (equal opportunity"
    )
    assert all(told in gate.value for gate in missing)
    assert {"churn 90d", "upsell 90d"} <= {gate.subject for gate in gates if gate.verdict == "passed"}
    assert not any(gate.holds for gate in missing)


@pytest.mark.parametrize(
    ("spoil", "figure"),
    [
        (lambda told, chance: told * (chance < 0.5), "observed"),
        (lambda told, chance: (chance < told.mean()).astype(float), "calibration slope"),
        (lambda told, chance: ((told + (chance < 0.5)) > 0).astype(float), "calibration error"),
    ],
)
def test_each_kind_of_miscalibration_is_refused(right_bundle, right_rows, spoil, figure):
    """Half the events gone, events that no longer follow the probabilities, and events all over: each by its figure."""
    known = right_rows["churn_90d_label"].to_numpy()
    labels = spoil(known, np.random.default_rng(2).random(len(known)))
    rows = right_rows.assign(churn_90d_label=labels)
    gates = judge(Candidate(right_bundle, rows, None, None, seed=1), LIMITS, time.perf_counter)
    gate = next(
        gate
        for gate in gates
        if (gate.name, gate.subject) == ("calibrated", "churn 90d") and gate.value.startswith(figure)
    )
    assert gate.verdict == "refused"


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
    for number in range(301):
        for which in (0, 1) if number % 2 else (1, 0):
            steps += [3.0 if which == 0 else 1.0, 0.0]
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
    gate = next(gate for gate in found.values() if (gate.name, gate.subject) == ("not worse", "churn 90d"))
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
    gate = next(gate for gate in found.values() if (gate.name, gate.subject) == ("not worse", "churn 90d"))
    assert "elsewhere" in gate.note


def test_every_horizon_of_every_head_is_judged(right_bundle, right_rows, wrong_bundle):
    """Each gate on rows, and the comparison, has a line for each of six horizons."""
    gates = verdicts(right_bundle, right_rows, wrong_bundle).values()
    for name in ("not worse", "calibrated", "not leaking", "fair"):
        subjects = {gate.subject for gate in gates if gate.name == name}
        assert subjects == {f"{head} {days}d" for head in ("churn", "upsell") for days in (30, 60, 90)}


def test_a_short_horizon_that_means_nothing_is_refused(right_bundle, right_rows):
    """Events within 30 days that come at random, and far too often, refuse by that horizon; 90 days stand as before."""
    chance = np.random.default_rng(0).random(len(right_rows)) < 0.5
    rows = right_rows.assign(churn_30d_label=chance.astype(float))
    found = verdicts(right_bundle, rows)
    subjects = {gate.subject for gate in found.values() if gate.name == "calibrated" and not gate.holds}
    assert subjects == {"churn 30d"}


def test_a_leak_at_a_short_horizon_is_refused(right_bundle, right_rows):
    """Where the accounts of a feature's lowest values are those that leave within 30 days, that feature is named."""
    paid = right_rows[FEATURE + "mrr"]
    rows = right_rows.assign(churn_30d_label=(paid <= paid.quantile(0.03)).astype(float))
    gates = [gate for gate in verdicts(right_bundle, rows).values() if gate.name == "not leaking"]
    assert {gate.subject for gate in gates if not gate.holds} == {"churn 30d"}
    assert next(gate for gate in gates if gate.subject == "churn 30d").value.startswith("mrr (AUC 1.000)")


@pytest.mark.parametrize(
    ("half", "other"),
    [("roc_auc", {"max_log_loss_rise": 100.0}), ("log_loss", {"max_auc_loss": 1.0})],
)
def test_each_half_of_the_comparison_refuses_alone(wrong_bundle, wrong_rows, right_bundle, half, other):
    """With a limit that the other half can't break, worse ranking refuses, and so do worse probabilities."""
    rules = LIMITS.comparison.model_copy(update=other)
    found = verdicts(
        wrong_bundle, wrong_rows, right_bundle, limits=LIMITS.model_copy(update={"comparison": rules})
    )
    gates = [gate for gate in found.values() if gate.name == "not worse" and gate.subject.startswith("churn")]
    assert {gate.verdict for gate in gates} == {"refused"}, half


def test_intervals_of_the_comparison_hold_over_all_horizons(right_bundle, right_rows, wrong_bundle):
    """What is judged is the interval that twelve differences share, which is wider than that of one horizon."""
    candidate = Candidate(right_bundle, right_rows, wrong_bundle, None, seed=1)
    alone, together = (comparison_gate(candidate, "churn", 60, LIMITS, heads=heads) for heads in (1, 6))
    judged = next(
        gate
        for gate in judge(candidate, LIMITS, time.perf_counter)
        if (gate.name, gate.subject) == ("not worse", "churn 60d")
    )
    assert judged.value == together.value
    low, high = (
        [float(part) for part in gate.value.split("[")[1].split("]")[0].split(", ")]
        for gate in (together, alone)
    )
    assert low[0] < high[0] < high[1] < low[1]


def test_intervals_of_calibration_hold_over_all_horizons(right_bundle, right_rows):
    """Six horizons with three figures each share the confidence, so that each interval is wider than by itself."""
    candidate = Candidate(right_bundle, right_rows, None, None, seed=1)
    one = judged_heads(candidate, right_rows)["churn_60d"]
    alone, together = (
        [gate.value for gate in calibration_gates(one, LIMITS, 1, heads=heads)] for heads in (1, 6)
    )
    gates = judge(candidate, LIMITS, time.perf_counter)
    shown = [gate.value for gate in gates if (gate.name, gate.subject) == ("calibrated", "churn 60d")]
    assert shown == together
    assert all(one != other for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    ("flips", "least", "most", "holds"), [(140, 0.955, 0.98, False), (330, 0.9, 0.945, True)]
)
def test_the_shipped_limit_of_a_suspicious_auc_is_95_percent(
    right_bundle, right_rows, flips, least, most, holds
):
    """By the shipped limits an AUC a little over 0.95 needs an explanation, and one a little under does not."""
    chance = right_rows["churn_90d"].to_numpy()
    label = (chance >= np.quantile(chance, 0.7)).astype(float)
    swapped = np.random.default_rng(3).choice(len(label), flips, replace=False)
    label[swapped] = np.random.default_rng(4).permutation(label[swapped])
    assert least < metrics.roc_auc(label, chance)[0] < most
    limits = LIMITS.model_copy(update={"suspicion": load_limits().suspicion})
    found = verdicts(right_bundle, right_rows.assign(churn_90d_label=label), limits=limits)
    assert next(gate for gate in found.values() if gate.name == "not too good").holds is holds


@pytest.mark.parametrize("measure", ["selection", "equal_opportunity"])
def test_flagging_a_slice_less_refuses_where_the_limits_say_so(right_bundle, right_rows, measure):
    """All of one plan are flagged, few of the other: refused by the measure that names the plan, else only shown."""
    flagged_as = {
        plan: right_bundle.probabilities(right_rows.assign(**{FEATURE + "plan": plan}))["churn_90d"]
        for plan in ("team", "basic")
    }
    threshold = float(np.median(flagged_as["basic"]))
    rows = right_rows.assign(
        **{FEATURE + "plan": np.where(flagged_as["basic"] >= threshold, "basic", "team")}
    )
    head = right_bundle.manifest.heads[0].model_copy(update={"thresholds": {"90d": threshold}})
    manifest = right_bundle.manifest.model_copy(update={"heads": (head, *right_bundle.manifest.heads[1:])})
    bundle = dataclasses.replace(right_bundle, manifest=manifest)
    nobody = {"selection": (), "equal_opportunity": (), "calibration": ()}
    for refused_by in (nobody, nobody | {measure: ("plan",)}):
        rules = LIMITS.fairness.model_copy(update={"refused_by": RefusedBy.model_validate(refused_by)})
        found = verdicts(bundle, rows, limits=LIMITS.model_copy(update={"fairness": rules}))
        gate = next(gate for gate in found.values() if (gate.name, gate.subject) == ("fair", "churn 90d"))
        assert gate.holds is (refused_by == nobody)
        if not gate.holds:
            assert gate.value.startswith(f"{measure.replace('_', ' ')} of plan")


def test_a_graph_that_was_changed_after_export_is_refused(right_bundle, right_rows):
    """Another graph than the manifest's is refused, and a manifest that tells none is not measured."""
    told = {None: "not measured", "sha256:0": "refused", right_bundle.graph_hash: "passed"}
    for graph_hash, verdict in told.items():
        manifest = right_bundle.manifest.model_copy(update={"graph_hash": graph_hash})
        bundle = dataclasses.replace(right_bundle, manifest=manifest)
        assert graph_gate(Candidate(bundle, right_rows, None, None, seed=1)).verdict == verdict
    assert right_bundle.manifest.graph_hash == right_bundle.graph_hash


def test_a_bundle_that_says_less_than_the_champion_needs_an_explanation(
    right_bundle, right_rows, wrong_bundle
):
    """A horizon that only the champion has is named; with words it may go."""
    manifest = right_bundle.manifest
    shorter = manifest.heads[1].model_copy(update={"horizons_days": (30, 60)})
    bundle = dataclasses.replace(
        right_bundle, manifest=manifest.model_copy(update={"heads": (manifest.heads[0], shorter)})
    )
    found = [
        next(gate for gate in verdicts(bundle, right_rows, wrong_bundle, explain=words).values()
             if gate.name == "nothing lost")
        for words in (None, "nobody asks for it")
    ]  # fmt: skip
    assert [gate.verdict for gate in found] == ["refused", "explained"]
    assert found[0].value == "lacks upsell 90d"
