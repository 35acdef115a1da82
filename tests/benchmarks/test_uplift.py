"""The uplift benchmarks: what they keep and write, and the truth that they compare with."""

from __future__ import annotations

import datetime as dt
import json
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from benchmarks import hillstrom, yardsticks
from benchmarks.hillstrom_page import METRICS, SINGLE, markdown, verdict, whole
from benchmarks.hillstrom_trial import ACTIONS, OUTCOMES, SHIPPED
from benchmarks.synthetic_truth import treatment_truth
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.policy_value import greedy_policy
from training.heads.uplift.draws import Draws
from training.synthetic.settings import WorldSettings
from training.synthetic.treatments import ACTIONS as WORLD_ACTIONS
from training.synthetic.world import generate
from training.treatments import read_treatments, trial


def seed_of(**values):
    """Return the figures of one seed, every metric of a learner alike, on the rows as they are and two resamples."""
    return {
        name: {key: [value, value - 0.01, value + 0.01] for key in METRICS} for name, value in values.items()
    }


def test_a_yardstick_is_offered_only_if_it_is_installed():
    """Each library is named with its version, or with how to get it, and only then are its learners missing."""
    learners, notes = yardsticks.available()
    for library, note in zip(("causalml", "econml"), notes, strict=True):
        installed = find_spec(library) is not None
        assert ("not installed" in note) != installed
        assert any(name.startswith(library) for name in learners) == installed


def table_of(*ours, rivals):
    """Return a table in which ours has the values *ours*, a seed each, and every rival its own one in all seeds."""
    seeds = [seed_of(**{SHIPPED: mine}, **rivals) for mine in ours]
    return {name: [seed[name] for seed in seeds] for name in seeds[0]}


def test_the_section_compares_with_every_yardstick_and_with_the_best():
    """Each seed stands in the table; pairs ahead and behind are counted, and the gap to the best has an interval."""
    table = table_of(0.3, 0.12, rivals={"causalml X": 0.2, "econml T": 0.1, SINGLE: 0.25})
    text = markdown({"visit": table, "spend": table}, ("causalml 1", "econml 1"), 2, "2026-01-01")
    assert (
        "ahead of 2 of 2 yardsticks; of 4 pairs of a yardstick and a seed it is ahead in 3 and behind in 1"
        in text
    )
    assert (
        "The best yardstick is causalml X: ours minus it +10.00 [+10.00, +10.00], ahead in 1 of 2 seeds"
        in text
    )
    assert f"Against {SINGLE}: -40.00 [-40.00, -40.00] in policy value; the interval is below zero." in text
    assert f"| **{SHIPPED}** | 300.00 | 120.00 | 300.00 | 120.00 |" in text
    assert text.index(SINGLE) < text.index("econml T")


def test_a_gap_is_called_sure_only_if_its_interval_leaves_out_zero():
    """Learners that swap places between resamples are not told apart."""
    table = table_of(0.2, rivals={"causalml X": 0.1, SINGLE: 0.1})
    assert "the interval is above zero" in verdict(table, 1.0)
    table["causalml X"][0]["qini"] = [0.1, 0.3, 0.0]
    assert "the interval holds zero" in verdict(table, 1.0).split("**policy")[0]


def test_without_a_yardstick_nothing_is_claimed():
    """The verdict says that none was installed."""
    assert verdict(table_of(0.2, rivals={SINGLE: 0.1}), 1.0) == "No yardstick was installed."


def test_each_yardstick_is_also_compared_as_one_learner_for_everything():
    """A count is of both outcomes and both metrics; ties are neither ahead nor behind."""
    strong, weak = (
        {"causalml X": 0.1, "econml T": 0.3, SINGLE: 0.1},
        {"causalml X": 0.1, "econml T": 0.2, SINGLE: 0.1},
    )
    text = whole({"visit": table_of(0.2, rivals=strong), "spend": table_of(0.2, rivals=weak)})
    assert "ours is ahead in 4 of 4 against causalml X; 0 of 4 against econml T." in text
    assert "Of these 8 comparisons ours is surely ahead in 4 and surely behind in 2 (95 % intervals)." in text
    alone = {"visit": table_of(0.2, rivals={SINGLE: 0.1})}
    assert whole(alone) == "No yardstick was installed for all outcomes."


def test_a_finished_seed_is_not_run_again(tmp_path):
    """Figures that an earlier run kept are read, so that no data is needed for them."""
    kept = {"ours, DR alone": {"qini": [1.0, 0.5, 1.5]}}
    (tmp_path / "visit-0.json").write_text(json.dumps(kept))
    assert hillstrom.kept_or_run(tmp_path / "nowhere", 0, "visit", tmp_path) == kept


def test_kept_seeds_are_put_together_by_outcome_and_learner(tmp_path):
    """With every seed kept, a run reads them all and each learner has a figure a seed, in their order."""
    for outcome in OUTCOMES:
        for seed in range(2):
            (tmp_path / f"{outcome}-{seed}.json").write_text(json.dumps({SHIPPED: {"qini": [seed, 0.0]}}))
    found = hillstrom.run(tmp_path / "nowhere", range(2), 1, tmp_path)
    assert found == {outcome: {SHIPPED: [{"qini": [0, 0.0]}, {"qini": [1, 0.0]}]} for outcome in OUTCOMES}


def test_the_value_of_a_policy_and_of_a_ranking_is_found():
    """On a trial whose first action alone works, taking it is worth its effect, and knowing for whom has a Qini."""
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(6_000, 3))
    arm = rng.integers(0, 3, len(matrix))
    helped = 0.4 * (matrix[:, 0] > 0)
    outcome = (rng.random(len(matrix)) < 0.2 + helped * (arm == 1)).astype(float)
    names = [f"c{number}" for number in range(len(matrix))]
    treatments = trial(names, ACTIONS, arm, np.full((len(matrix), 3), 1 / 3), {"visit": outcome})
    expected = np.full((1, len(matrix), 3), 0.2)
    test = Draws(treatments, matrix, "visit", expected, None)
    bootstrap = AccountBootstrap(np.array(names, dtype=object), samples=20, seed=1)
    effects = np.column_stack([helped, np.full(len(matrix), -0.1)])
    ranking = hillstrom.ranking_values(effects, test, bootstrap)
    policy = greedy_policy(effects, treatments.propensities)
    value = hillstrom.policy_values(policy, test, bootstrap)
    assert len(ranking["qini"]) == 21
    assert min(ranking["qini"]) > 0.01
    assert value["policy_dr"][0] == pytest.approx(0.4, abs=0.04)
    assert value["policy_snips"][0] == pytest.approx(0.4, abs=0.04)


def test_the_retold_world_has_the_same_draws_and_effects(tmp_path):
    """Every draw of the made world is found again, and its drawn action's effect agrees with the truth file."""
    settings = WorldSettings(accounts=80, days=260, seed=5, end=dt.date(2026, 6, 30))
    generate(settings, tmp_path / "world")
    draws, _ = read_treatments(tmp_path / "world")
    known = treatment_truth(settings, draws.treated_at.min(), paths=64)
    true = known.effects("expanded", draws, WORLD_ACTIONS)
    raw = pd.read_parquet(tmp_path / "world" / "treatments")
    file = pd.read_parquet(tmp_path / "world" / "truth" / "treatment_effects").set_index("treatment_id")
    drawn = {
        (row.account_id, np.datetime64(row.treated_at.date())): file.loc[row.treatment_id]
        for row in raw.itertuples()
    }
    pairs = [
        (drawn[account, moment.astype("datetime64[D]")], effects)
        for account, moment, effects in zip(draws.account_id, draws.treated_at, true, strict=True)
    ]
    filed = np.array([row["effect_expanded_90d"] for row, _ in pairs])
    retold = np.array([effects[WORLD_ACTIONS.index(row["action"])] for row, effects in pairs])
    assert np.corrcoef(filed, retold)[0, 1] > 0.8
