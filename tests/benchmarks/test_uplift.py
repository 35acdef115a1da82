"""The uplift benchmarks: what they keep and write, and the truth that they compare with."""

from __future__ import annotations

import datetime as dt
import json
from importlib.util import find_spec

import numpy as np
import pandas as pd

from benchmarks import hillstrom, yardsticks
from benchmarks.synthetic_truth import treatment_truth
from training.evaluation.bootstrap import Estimate
from training.synthetic.settings import WorldSettings
from training.synthetic.treatments import ACTIONS
from training.synthetic.world import generate
from training.treatments import read_treatments

ALL = ("qini", "auuc", "policy_dr", "policy_snips")


def seed_of(**values):
    """Return the figures of one seed, every metric of a learner alike."""
    return {
        name: {metric: Estimate(value, value - 1, value + 1) for metric in ALL}
        for name, value in values.items()
    }


def test_a_yardstick_is_offered_only_if_it_is_installed():
    """Each library is named with its version, or with how to get it, and only then are its learners missing."""
    learners, notes = yardsticks.available()
    for library, note in zip(("causalml", "econml"), notes, strict=True):
        installed = find_spec(library) is not None
        assert ("not installed" in note) != installed
        assert any(name.startswith(library) for name in learners) == installed


def test_the_section_compares_with_the_best_yardstick_seed_by_seed():
    """The gap, its spread and the seeds in which ours is ahead are said; the best learner stands first."""
    seeds = [
        seed_of(**{hillstrom.SHIPPED: mine, "causalml X": 0.2, "econml T": 0.1, hillstrom.SINGLE: 0.25})
        for mine in (0.3, 0.12)
    ]
    table = {name: [seed[name] for seed in seeds] for name in seeds[0]}
    text = hillstrom.markdown({"visit": table, "spend": table}, ("causalml 1", "econml 1"), "2026-01-01")
    assert (
        "best yardstick is causalml X; ours as shipped less it +10.00 ± 127.28, ahead in 1 of 2 seeds" in text
    )
    assert "Against best single e-mail for everyone: -40.00." in text
    assert text.index(hillstrom.SINGLE) < text.index("econml T")


def test_a_finished_seed_is_not_run_again(tmp_path):
    """Figures that an earlier run kept are read, so that no data is needed for them."""
    kept = {"ours DR": {"qini": [1.0, 0.5, 1.5]}}
    (tmp_path / "visit-0.json").write_text(json.dumps(kept))
    found = hillstrom.kept_or_run(tmp_path / "nowhere", 0, "visit", tmp_path)
    assert found == {"ours DR": {"qini": Estimate(1.0, 0.5, 1.5)}}


def test_the_retold_world_has_the_same_draws_and_effects(tmp_path):
    """Every draw of the made world is found again, and its drawn action's effect agrees with the truth file."""
    settings = WorldSettings(accounts=80, days=260, seed=5, end=dt.date(2026, 6, 30))
    generate(settings, tmp_path / "world")
    draws, _ = read_treatments(tmp_path / "world")
    known = treatment_truth(settings, draws.treated_at.min(), paths=64)
    true = known.effects("expanded", draws, ACTIONS)
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
    retold = np.array([effects[ACTIONS.index(row["action"])] for row, effects in pairs])
    assert np.corrcoef(filed, retold)[0, 1] > 0.8
