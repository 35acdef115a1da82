"""Which signals a head goes by, and what is a change of that."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from serving.bundle.manifest import Calibration, Head
from training.monitoring.importance import booster_contributions, signal_changes

SIGNALS = ["logins", "logins", "plan", "seats"]


def contributions(rows, scale, seed):
    """Return contributions of four features, and accounts with two rows each."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 4)) * scale, np.array(
        [f"a{number // 2}" for number in range(rows)], dtype=object
    )


def changes(before, now):
    """Return the change of each signal."""
    found = signal_changes("churn", SIGNALS, before, now, samples=200, seed=1)
    assert [one.now for one in found] == sorted((one.now for one in found), reverse=True)
    return {one.signal: one for one in found}


def test_a_signal_that_gained_weight_is_found():
    """Three times the contributions of the plan change its share beyond the limit, up, and that of log-ins down."""
    found = changes(contributions(600, [1, 1, 1, 1], 1), contributions(400, [1, 1, 3, 1], 2))
    assert sum(one.now for one in found.values()) == pytest.approx(1)
    assert sum(one.change.value for one in found.values()) == pytest.approx(0, abs=1e-12)
    assert found["plan"].change.low > 0.1
    assert found["plan"].beyond(0.1)
    assert found["logins"].change.high < 0
    assert not found["logins"].beyond(0.4)


def test_contributions_of_one_signal_that_cancel_do_not_count():
    """Two features of a signal are added row by row before their size is taken."""
    told, account_id = contributions(100, [1, 1, 1, 1], 1)
    told[:, 1] = -told[:, 0]
    found = changes((told, account_id), (told, account_id))
    assert found["logins"].now == pytest.approx(0, abs=1e-12)


def test_noise_is_not_called_a_change():
    """Of fifty worlds without change, few have a signal that surely changed."""
    worlds = [
        changes(contributions(80, [1, 1, 1, 1], seed), contributions(80, [1, 1, 1, 1], seed + 100))
        for seed in range(50)
    ]
    assert sum(any(one.beyond(0.0) for one in world.values()) for world in worlds) <= 6


def test_boosters_tell_heads_that_the_graph_does_not_explain(tmp_path):
    """The sum over intervals is LightGBM's own TreeSHAP times the slopes; without a text there is none."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(200, 4))
    settings = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbose": -1}
    booster = lgb.train(settings, lgb.Dataset(matrix, (matrix[:, 2] > 0).astype(float)), 5)
    head = Head(
        name="upsell",
        output="upsell",
        horizons_days=(30, 60),
        definition="Expands.",
        thresholds={},
        calibrations=(Calibration(slope=1.0, intercept=0.0), Calibration(slope=0.5, intercept=0.1)),
    )
    (tmp_path / "boosters").mkdir()
    (tmp_path / "boosters" / "upsell_30d.txt").write_text(booster.model_to_string())
    assert booster_contributions(tmp_path, head, matrix) is None
    (tmp_path / "boosters" / "upsell_60d.txt").write_text(booster.model_to_string())
    told = booster_contributions(tmp_path, head, matrix)
    assert told == pytest.approx(1.5 * booster.predict(matrix, pred_contrib=True)[:, :-1])
    assert np.abs(told).mean(axis=0).argmax() == 2
