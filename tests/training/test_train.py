"""Training as a whole, on a small world whose hazards are known."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.tables.dataset import DatasetInfo
from tests.training import toy
from training.errors import LeakageError, TooLittleDataError
from training.evaluation.report import evaluation_table
from training.settings import TrainingSettings
from training.train import train_on, usable_days

SETTINGS = TrainingSettings(num_threads=1, bootstrap_samples=40, background_rows=500)


def trained(rows, seed=5, settings=SETTINGS, definitions=toy.DEFINITIONS, lines=None):
    """Train on rows of the toy world."""
    return train_on(
        rows,
        toy.SPLIT,
        definitions,
        dataset=DatasetInfo(name="toy"),
        seed=seed,
        settings=settings,
        progress=(lines if lines is not None else []).append,
    )


@pytest.fixture(scope="module")
def world():
    """The toy world."""
    return toy.world()


@pytest.fixture(scope="module")
def models(world):
    """Models of the toy world."""
    return trained(world)


def test_probabilities_come_near_the_known_truth(models):
    """On rows never trained on, the mean error of the 90-day churn probability is a fraction of its spread."""
    matrix = toy.world(seed=99).matrix
    truth = 1 - (1 - toy.hazards(matrix)[:, 0]) ** 3
    found = models.head("churn").probabilities(matrix)[:, 2]
    assert np.abs(found - truth).mean() < 0.25 * np.abs(truth - truth.mean()).mean()
    assert abs(found.mean() / truth.mean() - 1) < 0.15


def test_probabilities_never_fall_with_the_horizon(models, world):
    """P30 <= P60 <= P90 for every row of both heads."""
    for head in models.heads:
        assert (np.diff(head.probabilities(world.matrix), axis=1) >= 0).all()


def test_heads_stand_in_order_and_an_unknown_one_is_an_error(models):
    """Churn comes before upsell; any other name is refused."""
    assert [head.name for head in models.heads] == ["churn", "upsell"]
    with pytest.raises(KeyError):
        models.head("growth")


def test_heads_alone_are_trained_without_sources(models):
    """Training on rows in memory without further sources gives heads, and nothing beyond them."""
    assert not models.outlook.uncertainty
    assert not models.outlook.has_outputs
    assert "uplift" not in models.metrics


def test_every_figure_has_its_baselines_and_interval(models):
    """Each head and horizon shows ours and three baselines; intervals hold their values; the dictionary is JSON."""
    metrics = json.loads(json.dumps(models.metrics, allow_nan=False))
    for head in metrics["heads"].values():
        for horizon in head["horizons"].values():
            shown = horizon["models"]
            assert list(shown) == ["keepgrow", "base_rate", "best_single_feature", "logistic_regression"]
            for model in shown.values():
                auc = model["metrics"]["roc_auc"]
                assert auc["low"] <= auc["value"] <= auc["high"]
            assert {"precision", "recall"} <= set(shown["keepgrow"]["metrics"])
            assert shown["base_rate"]["metrics"]["roc_auc"]["value"] == 0.5
            assert "base_rate" in horizon["roc_auc_gain"]


def test_ours_beats_the_base_rate_and_names_the_features_that_matter(models):
    """The feature that drives each head is its best single feature and has the largest share of the gain."""
    for head, driver in (("churn", "risk"), ("upsell", "need")):
        report = models.metrics["heads"][head]
        assert next(iter(report["importance"])) == driver
        shown = report["horizons"]["90d"]["models"]
        assert driver in shown["best_single_feature"]["note"]
        assert (
            shown["keepgrow"]["metrics"]["log_loss"]["value"]
            < shown["base_rate"]["metrics"]["log_loss"]["value"]
        )


def test_thresholds_are_given_per_horizon_with_their_reason(models):
    """Each head has a threshold a horizon, equal to the one in the metrics, with a sentence that says why."""
    for head, thresholds in models.thresholds.items():
        assert list(thresholds) == ["30d", "60d", "90d"]
        for key, value in thresholds.items():
            told = models.metrics["heads"][head]["horizons"][key]["threshold"]
            assert told["value"] == value
            assert told["rule"] in {"precision_first", "best_precision", "none"}
            assert "validation" in told["sentence"]


def test_equal_seeds_give_equal_models_whatever_the_threads(models, world):
    """Training again, on two threads, gives the same trees, probabilities and figures."""
    again = trained(world, settings=SETTINGS.model_copy(update={"num_threads": 2}))
    for one, other in zip(models.heads, again.heads, strict=True):
        assert np.array_equal(one.probabilities(world.matrix), other.probabilities(world.matrix))
        assert one.calibrations == other.calibrations
    assert again.metrics == models.metrics
    assert again.data_hash == models.data_hash


def test_the_test_part_is_never_trained_on(models, world):
    """Other labels and features at test cutoffs leave heads, thresholds and background as they are."""
    in_test = np.isin(world.labels.cutoff, np.array(toy.SPLIT.test.cutoffs, dtype="datetime64[D]"))
    other = toy.world(seed=77)
    mixed = dataclasses.replace(
        world,
        matrix=np.where(in_test[:, None], other.matrix, world.matrix),
        labels=dataclasses.replace(
            world.labels,
            event_days={
                head: np.where(in_test, other.labels.event_days[head], days)
                for head, days in world.labels.event_days.items()
            },
        ),
    )
    again = trained(mixed)
    assert again.thresholds == models.thresholds
    assert np.array_equal(again.background, models.background, equal_nan=True)
    for one, other_head in zip(models.heads, again.heads, strict=True):
        assert np.array_equal(one.probabilities(world.matrix), other_head.probabilities(world.matrix))
    assert again.data_hash != models.data_hash


def test_what_comes_after_the_test_begins_does_not_reach_the_final_boosters(models, world):
    """Events of earlier cutoffs that fall on or after the first test day change nothing but test figures."""
    begin = np.datetime64(toy.SPLIT.test.cutoffs[0])
    room = (begin - world.labels.cutoff).astype(float)
    late = {
        head: np.where((room > 0) & (days > room), np.inf, days)
        for head, days in world.labels.event_days.items()
    }
    changed = dataclasses.replace(world, labels=dataclasses.replace(world.labels, event_days=late))
    assert not all(np.array_equal(late[head], world.labels.event_days[head]) for head in late)
    again = trained(changed)
    for one, other in zip(models.heads, again.heads, strict=True):
        assert np.array_equal(one.probabilities(world.matrix), other.probabilities(world.matrix))


def test_the_sample_for_explanations_is_of_the_training_rows_and_bounded(models):
    """The background has the matrix's columns and at most as many rows as the setting says."""
    assert models.background.shape == (500, len(toy.NAMES))
    assert models.background.dtype == np.float64


def test_test_predictions_hold_labels_only_where_they_are_known(models):
    """Every test account and cutoff is there; labels of horizons past the data are NaN."""
    table = models.test_predictions
    assert len(table) == 400 * len(toy.SPLIT.test.cutoffs)
    last = table[table["cutoff"] == table["cutoff"].max()]
    assert last["churn_30d_label"].notna().all()
    assert last["churn_90d_label"].isna().all()


def test_without_refit_the_reported_head_is_the_one_fitted_on_training(world):
    """Switched off, the final fit is left out and the manifest says so."""
    definitions = toy.DEFINITIONS.model_copy(
        update={"split": toy.DEFINITIONS.split.model_copy(update={"refit_on_validation": False})}
    )
    found = trained(world, definitions=definitions)
    assert found.metrics["heads"]["churn"]["training"]["refitted"] is False


def test_a_feature_that_knows_the_answer_is_refused_by_name():
    """A column that holds the time to churn stops training, and is named."""
    with pytest.raises(LeakageError, match=r"churn within 30 days: noise \(AUC 1\.000\)"):
        trained(toy.world(leak=True))


def test_a_part_without_events_is_refused_with_what_would_be_enough(world):
    """No upsell in the data: the error names head, part and the events that are needed."""
    quiet = {**world.labels.event_days, "upsell": np.full(len(world.labels), np.inf)}
    rows = dataclasses.replace(world, labels=dataclasses.replace(world.labels, event_days=quiet))
    with pytest.raises(TooLittleDataError, match=r"upsell: the training part .* 0 events .* at least 5"):
        trained(rows)


def test_a_handful_of_events_still_trains():
    """With some thirty accounts the heads are dull but sound: probabilities between 0 and 1, figures finite."""
    found = trained(toy.world(accounts=40, seed=11))
    probability = found.head("churn").probabilities(toy.world(seed=98).matrix)
    assert ((probability > 0) & (probability < 1)).all()


def test_progress_speaks_of_both_heads():
    """Each head reports its fit and its judgement."""
    lines: list[str] = []
    trained(toy.world(accounts=60), lines=lines)
    assert any(line.startswith("churn: final fit") for line in lines)
    assert any(line.startswith("upsell: judged") for line in lines)


def test_the_table_shows_every_model_of_every_horizon(models):
    """The terminal's table has a line for each head, horizon and model."""
    assert evaluation_table(models.metrics).row_count == 2 * 3 * 4


def test_usable_days_begin_with_both_usage_and_subscriptions(tmp_path):
    """Training starts when both are there; without usage it says what is missing."""
    moment = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "subscription_id": ["1"],
            "account_id": ["a"],
            "plan": ["p"],
            "seats": [1],
            "mrr": [1.0],
            "started_at": pa.array([dt.datetime(2024, 2, 1, tzinfo=dt.UTC)], moment),
        }
    )
    pq.write_table(table, tmp_path / "subscriptions.parquet")
    with pytest.raises(TooLittleDataError, match="usage_daily or feature_usage"):
        usable_days(tmp_path)
    usage = pa.table(
        {
            "account_id": ["a", "a"],
            "day": [dt.date(2024, 1, 5), dt.date(2024, 5, 5)],
            "metric": ["logins", "logins"],
            "value": [1.0, 2.0],
        }
    )
    pq.write_table(usage, tmp_path / "usage_daily.parquet")
    assert usable_days(tmp_path) == (dt.date(2024, 2, 1), dt.date(2024, 5, 5))
