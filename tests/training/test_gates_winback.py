"""Gates on win-back: a head that surely misleads about who comes back is refused, one of few returns is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serving.bundle.manifest import Head, Winback
from tests.training.test_gates import LIMITS
from training.evaluation.winback_report import winback_report
from training.gates import Candidate, judge
from training.promotion.of_bundles import loss_gate
from training.promotion.of_winback import winback_gates

HEAD = Head(
    name="winback",
    output="winback",
    horizons_days=(30, 60),
    definition="A subscription begins.",
    thresholds={},
)
WORSE, CALIBRATED = "not worse than the base rate", "calibrated"


def report(*, said, true, rows=3_000, seed=1):
    """Return what training reports where chances are *said* for accounts, two rows each, that return by *true*."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    returned = (rng.random(rows) < true(x)).astype(np.float64)
    accounts = np.array([f"a{number // 2:04d}" for number in range(rows)], dtype=object)
    rate = np.full(rows, float(true(rng.normal(size=50_000)).mean()))
    return winback_report(
        said(x), returned, accounts, base_rate=float(rate[0]), by_days=rate, samples=100, seed=2
    )


def chance(x):
    """Return a chance of coming back of 1 to 40 %, some 10 % on average."""
    return np.clip(0.08 * np.exp(0.7 * x), 0.01, 0.4)


def with_winback(bundle, told, head=HEAD):
    """Return *bundle* with a win-back head of which *told* is reported at both horizons; none is told if None."""
    horizons = {"30d": told, "60d": told} if told is not None else {}
    manifest = bundle.manifest.model_copy(
        update={
            "winback": Winback(head=head, after_days=30, within_days=365),
            "metrics": bundle.manifest.metrics | {"winback": {"horizons": horizons}},
        }
    )
    return dataclasses.replace(bundle, manifest=manifest)


def verdicts(bundle, limits=LIMITS, explain=None, champion=None):
    """Return the win-back gates by name and subject."""
    candidate = Candidate(bundle, None, champion, explain, seed=1)
    return {(gate.name, gate.subject): gate for gate in winback_gates(candidate, limits)}


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (chance, set()),
        (lambda x: 2.5 * chance(x) / (1 + 1.5 * chance(x)), {CALIBRATED, WORSE}),
        (lambda x: chance(-x), {WORSE}),
        (lambda x: chance(x) / 2.5, {CALIBRATED}),
    ],
    ids=["the truth", "far too many", "the wrong ones", "far too few"],
)
def test_only_a_head_that_is_surely_wrong_is_refused(said, refused, right_bundle):
    """At both horizons, for the reason that is its own."""
    found = verdicts(with_winback(right_bundle, report(said=said, true=chance)))
    assert {subject for _, subject in found} == {"win-back 30d", "win-back 60d"}
    assert {name for (name, _), gate in found.items() if gate.verdict == "refused"} == refused
    assert all(gate.verdict in {"passed", "refused"} for gate in found.values())
    assert "3000 test rows of 1500 accounts" in found[WORSE, "win-back 30d"].note


def test_ten_returns_hardly_ever_refuse_a_head_that_is_right(right_bundle):
    """Of forty heads that say the truth of a hundred rows each, at most two are refused."""
    told = (report(said=chance, true=chance, rows=100, seed=seed) for seed in range(40))
    judged = [verdicts(with_winback(right_bundle, one)).values() for one in told]
    assert sum(any(gate.verdict == "refused" for gate in gates) for gates in judged) <= 2


def test_how_far_a_head_may_be_over_the_base_rate_is_a_limit(right_bundle):
    """The whole interval, widened for two horizons, must lie over the limit of the file."""
    told = report(said=chance, true=chance) | {
        "log_loss_gain": {"base_rate": {"value": -0.05, "low": -0.07, "high": -0.03}}
    }
    for most, verdict in ((0.0, "refused"), (0.02, "refused"), (0.03, "passed")):
        rules = LIMITS.comparison.model_copy(update={"max_winback_log_loss_over_base_rate": most})
        gate = verdicts(
            with_winback(right_bundle, told), LIMITS.model_copy(update={"comparison": rules})
        )[WORSE, "win-back 60d"]  # fmt: skip
        assert (gate.verdict, gate.value) == (verdict, "log loss +0.0500 [+0.0271, +0.0729]")


def test_a_head_that_nobody_measured_needs_an_explanation(right_bundle):
    """Without figures it is not passed until somebody says why; the report's own reason is told."""
    bare = with_winback(right_bundle, None)
    assert {gate.verdict for gate in verdicts(bare).values()} == {"not measured"}
    none = with_winback(right_bundle, {"unmeasured": "Nobody came back."})
    for words, verdict in ((None, "not measured"), ("a young product", "explained")):
        for gate in verdicts(none, explain=words).values():
            assert (gate.verdict, gate.value) == (verdict, "-")
            assert gate.note.startswith("Nobody came back.")
            assert (words or "--explain") in gate.note


def test_a_bundle_is_asked_for_win_back_only_if_it_has_it(right_bundle, right_rows):
    """Judging a bundle asks both gates a horizon; one without such a head is not asked."""
    sound = with_winback(right_bundle, report(said=chance, true=chance))
    for bundle, asked in ((sound, 4), (right_bundle, 0)):
        found = judge(Candidate(bundle, right_rows, None, None, seed=1), LIMITS, iter(range(10**6)).__next__)
        assert len([gate for gate in found if gate.subject.startswith("win-back")]) == asked


def test_win_back_that_the_champion_has_may_not_be_lost(right_bundle):
    """A candidate without a horizon, all of them or the interval needs an explanation; one with more loses nothing."""
    whole = with_winback(right_bundle, None)
    shorter = with_winback(right_bundle, None, HEAD.model_copy(update={"horizons_days": (30,)}))
    sure = with_winback(
        right_bundle, None, HEAD.model_copy(update={"low_output": "low", "high_output": "high"})
    )
    for ours, champion, value in (
        (right_bundle, whole, "lacks win-back 30d, win-back 60d"),
        (shorter, whole, "lacks win-back 60d"),
        (whole, sure, "lacks win-back interval"),
    ):
        gate = loss_gate(Candidate(ours, None, champion, None, seed=1))
        assert (gate.verdict, gate.value) == ("refused", value)
    assert loss_gate(Candidate(whole, None, shorter, None, seed=1)).verdict == "passed"
