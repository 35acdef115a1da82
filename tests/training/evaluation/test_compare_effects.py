"""Effects of two bundles on the same draws: paired, on draws new to both, and the worse one is told."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from tests.training import rivals
from tests.training.export.small_models import make_matrix
from tests.training.small_outlook import ACTIONS
from tests.training.test_gates_outlook import LIMITS, acting, told, with_outlook
from training.errors import PromotionError
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.compare_effects import policy_difference
from training.evaluation.compare_outlook import Resampling, outlook_of
from training.evaluation.held_out import DRAWS, read_test_rows, write_test_rows
from training.evaluation.held_out_draws import HeldOutDraws, arms_of, as_log, draw_rows, draws_of
from training.gates import Candidate
from training.promotion.of_uplift import uplift_gates
from training.treatments import LoggedTreatments

HOW = Resampling(samples=200, seed=1, comparisons=2)
NAMES = tuple(sorted(ACTIONS[:2]))
DRAWN = 3000


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    """A bundle with effects."""
    return rivals.opened(with_outlook(rivals.RIGHT), tmp_path_factory.mktemp("champion") / "models")


@pytest.fixture(scope="module")
def world():
    """Draws of two actions at even chances, and their true effects: each helps one half and harms the other."""
    rng = np.random.default_rng(8)
    helps = np.where(rng.random((DRAWN, 2)) < 0.5, 0.25, -0.25)
    arm = rng.integers(0, 3, DRAWN)
    chance = 0.5 + np.where(arm > 0, helps[np.arange(DRAWN), np.maximum(arm, 1) - 1], 0.0)
    treatments = LoggedTreatments(
        account_id=np.array([f"a{number // 2:05}" for number in range(DRAWN)], dtype=object),
        treated_at=np.datetime64("2025-01-01", "us") + np.arange(DRAWN) * np.timedelta64(60, "s"),
        actions=NAMES,
        arm=arm.astype(np.intp),
        propensities=np.full((DRAWN, 3), 1 / 3),
        outcomes={"expanded": (rng.random(DRAWN) < chance).astype(float)},
    )
    return treatments, helps


def table(world, effects, *, after=None):
    """Return the draws as kept by a bundle whose judged heads said *effects*; all of them on or after *after*."""
    treatments = world[0]
    if after is not None:
        shift = np.datetime64(after, "us") - treatments.treated_at.min()
        treatments = dataclasses.replace(treatments, treated_at=treatments.treated_at + shift)
    matrix = make_matrix(np.random.default_rng(3), DRAWN, missing=0.05)
    held_out = HeldOutDraws("expanded", treatments, matrix, np.full((DRAWN, 3), 0.5), effects)
    return draw_rows([held_out], rivals.RIGHT.contract, rivals.RIGHT.encodings)


def test_the_difference_is_paired_and_sharper_than_two_reports(world, champion):
    """Two policies that differ in few draws have a difference whose interval is far narrower than either's own."""
    helps = world[1]
    slightly = helps.copy()
    slightly[:150] = slightly[150:300]
    found = policy_difference(
        table(world, slightly), champion, table(world, helps), "expanded", HOW, least=200
    )
    gain = found.figures["gain"]
    assert gain.low <= gain.value <= gain.high
    log = as_log(table(world, helps))
    alone = AccountBootstrap(log.account_id, samples=200, seed=1, comparisons=2).estimate(
        lambda weight: (weight @ log.outcome) / weight.sum(axis=1)
    )
    assert gain.high - gain.low < 0.7 * (alone.high - alone.low)
    assert (
        f"paired on {DRAWN} draws of {DRAWN // 2} accounts ({DRAWN} that both held out, 0 that" in found.note
    )


def test_the_same_effects_bring_exactly_the_same(world, champion):
    """Against its own effects a bundle gains exactly nothing, with no interval around it."""
    kept = table(world, world[1])
    gain = policy_difference(kept, champion, kept, "expanded", HOW, least=200).figures["gain"]
    assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)


def test_outcomes_of_other_accounts_are_compared_among_their_own_actions(world, champion):
    """Draws of accounts that had left stand in one table with the others, and know nothing of their actions."""
    treatments, helps = world
    few = treatments.select(np.arange(600))
    returned = LoggedTreatments(
        account_id=few.account_id,
        treated_at=few.treated_at,
        actions=("win_back_call",),
        arm=(few.arm > 0).astype(np.intp),
        propensities=np.full((600, 2), 0.5),
        outcomes={"returned": few.outcomes["expanded"]},
    )
    matrix = make_matrix(np.random.default_rng(3), DRAWN, missing=0.05)
    kept = draw_rows(
        [
            HeldOutDraws("expanded", treatments, matrix, np.full((DRAWN, 3), 0.5), helps),
            HeldOutDraws("returned", returned, matrix[:600], np.full((600, 2), 0.5), helps[:600, :1]),
        ],
        rivals.RIGHT.contract,
        rivals.RIGHT.encodings,
    )
    assert arms_of(draws_of(kept, "returned")) == ("nothing", "win_back_call")
    assert arms_of(draws_of(kept, "expanded")) == ("nothing", *NAMES)
    for outcome, drawn in (("expanded", DRAWN), ("returned", 600)):
        found = policy_difference(kept, champion, kept, outcome, HOW, least=200)
        assert found.figures["gain"].value == 0.0
        assert f"paired on {drawn} draws" in found.note


def test_effects_of_shuffled_draws_are_refused_and_the_right_ones_are_not(world, champion):
    """Acting by effects that mean nothing surely brings less than acting by the true ones; the gate says so."""
    right = table(world, world[1])
    shuffled = table(world, np.random.default_rng(5).permutation(world[1]))
    bundle = told(champion, uplift=acting(-0.1, 0.0, 0.1))
    for ours, theirs, verdict in (
        (shuffled, right, "refused"), (right, shuffled, "passed"), (right, right, "passed"),
    ):  # fmt: skip
        candidate = Candidate(bundle, None, bundle, None, seed=1, draws=ours, champion_draws=theirs)
        gates = {gate.subject: gate for gate in uplift_gates(candidate, LIMITS)}
        assert gates["expanded"].verdict == verdict
        assert "paired on 3000 draws" in gates["expanded"].note
        assert "not paired: of 0 held-out draws 0 are new" in gates["retained"].note


def test_draws_that_the_champion_could_not_know_are_asked_of_its_graph(world, champion):
    """Draws whose windows were open when the champion's data ended are scored by its graph, as serving would do."""
    effects = champion.manifest.effects
    over = champion.manifest.window.label_end - dt.timedelta(days=effects.window_days)
    after = over + dt.timedelta(days=2)
    kept = table(world, world[1], after=after)
    found = policy_difference(kept, champion, None, "expanded", HOW, least=200)
    assert f"(0 that both held out, {DRAWN} that the champion could not know)" in found.note
    with pytest.raises(PromotionError, match=rf"of {DRAWN} held-out draws 0 are new"):
        policy_difference(
            table(world, world[1], after=over - dt.timedelta(days=5)),
            champion,
            None,
            "expanded",
            HOW,
            least=200,
        )
    said = outlook_of(champion, kept, [effects.output])[effects.output]
    columns = [
        next(
            place for place, one in enumerate(effects.columns)
            if (one.action, one.outcome) == (name, "expanded")
        )
        for name in NAMES
    ]  # fmt: skip
    by_hand = policy_difference(
        kept, champion, table(world, said[:, columns], after=after), "expanded", HOW, least=200
    )
    assert found.figures == by_hand.figures


def test_draws_that_the_champion_has_learnt_from_do_not_count(world, champion):
    """Draws that it neither held out nor came too early for leave nothing to compare on."""
    kept = table(world, world[1])
    with pytest.raises(PromotionError, match=rf"of {DRAWN} held-out draws 0 are new"):
        policy_difference(kept, champion, None, "expanded", HOW, least=200)
    half = kept.iloc[: DRAWN // 2]
    found = policy_difference(kept, champion, half, "expanded", HOW, least=200)
    assert f"paired on {DRAWN // 2} draws" in found.note


def test_an_action_that_the_champion_does_not_know_is_one_it_does_not_take(world, champion):
    """Where the champion says nothing of an action, knowing it is a gain."""
    kept = table(world, world[1])
    lesser = kept.drop(columns=f"effect:{NAMES[0]}")
    gain = policy_difference(kept, champion, lesser, "expanded", HOW, least=200).figures["gain"]
    assert gain.low > 0


def test_kept_draws_come_back_from_a_file(world, champion, tmp_path):
    """Written beside the model store and read again, draws pair with those in memory."""
    kept = table(world, world[1])
    write_test_rows(kept, tmp_path / "models", "keepgrow:abc", DRAWS)
    read = read_test_rows(tmp_path / "models", "keepgrow:abc", DRAWS)
    pd.testing.assert_frame_equal(read, kept, check_dtype=False)
    assert arms_of(read) == ("nothing", *NAMES)
    assert read_test_rows(tmp_path / "models", "keepgrow:abc") is None
    gain = policy_difference(kept, champion, read, "expanded", HOW, least=200).figures["gain"]
    assert gain.value == 0.0
