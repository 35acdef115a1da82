"""Training finds what was planted, nothing where nothing is, and refuses what it should not learn from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from feature_repo.tables.dataset import DatasetInfo
from tests.training.export.small_models import make_matrix
from tests.training.heads.planted import (
    DEFINITIONS,
    HORIZONS,
    NAMES,
    SIGNAL,
    SPLIT,
    hazards,
    planted,
)
from training.definitions import HEADS, HeadName
from training.errors import LeakageError, TooLittleDataError
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.metrics import roc_auc
from training.evaluation.miscalibration import calibration_slope
from training.heads.calibration_choice import SegmentColumn
from training.heads.train import HeadRows, TrainedHead, train_head
from training.labels import Intervals
from training.settings import TrainingSettings
from training.train import train_on

if TYPE_CHECKING:
    from training.dataset import TrainingSet
    from training.heads.hazard import HazardHead
    from training.trained import TrainedModels

PLAN = NAMES.index("plan")


def fitted(rows: TrainingSet, head: HeadName = "churn", *, threads: int = 1, seed: int = 7) -> TrainedHead:
    """Return the head trained on *rows*."""
    parts = [
        rows.part(part, DEFINITIONS).head_rows(head) for part in (SPLIT.train, SPLIT.validation, SPLIT.refit)
    ]
    return train_head(
        head,
        *parts,
        definitions=DEFINITIONS,
        feature_names=NAMES,
        seed=seed,
        num_threads=threads,
        progress=lambda _: None,
    )


def trained_on(rows: TrainingSet) -> TrainedModels:
    """Return both heads trained and judged on *rows*."""
    return train_on(
        rows,
        SPLIT,
        DEFINITIONS,
        dataset=DatasetInfo(name="planted"),
        seed=7,
        settings=TrainingSettings(num_threads=1, bootstrap_samples=40, background_rows=200),
    )


@pytest.fixture(scope="module")
def signal() -> TrainingSet:
    """A training set in which each head follows a column of its own."""
    return planted(1)


@pytest.fixture(scope="module")
def models(signal: TrainingSet) -> TrainedModels:
    """Both heads, trained on the planted signal."""
    return trained_on(signal)


def test_probabilities_never_fall_along_the_horizons(models: TrainedModels) -> None:
    """On random rows, missing and absurd ones too, 30 days are never likelier than 60, nor 60 than 90."""
    rng = np.random.default_rng(2)
    matrix = np.vstack(
        [make_matrix(rng, 2_000, missing=0.3), rng.choice([-1e30, 0.0, 1e30, np.nan], (500, 10))]
    )
    for head in HEADS:
        probability = models.head(head).probabilities(matrix)
        assert probability.shape == (2_500, 3)
        assert ((probability > 0) & (probability < 1)).all()
        assert (np.diff(probability, axis=1) >= 0).all()


@pytest.mark.parametrize("head", HEADS)
def test_planted_signal_is_found(models: TrainedModels, signal: TrainingSet, head: HeadName) -> None:
    """On the test part each head ranks events by the column that was planted, and by no other."""
    test = signal.part(SPLIT.test, DEFINITIONS)
    probability = models.head(head).probabilities(test.matrix)
    for index, horizon in enumerate(DEFINITIONS.horizons_days):
        label = test.labels.outcome(head, horizon)
        assert roc_auc_score(label, probability[:, index]) > 0.8
    importance = models.metrics["heads"][head]["importance"]
    assert next(iter(importance)) == NAMES[SIGNAL[head]]
    assert importance[NAMES[SIGNAL[head]]] > 0.5


def test_reported_figures_are_those_of_the_test_part(models: TrainedModels, signal: TrainingSet) -> None:
    """The AUC in the metrics is scikit-learn's on the test predictions, and nothing else's."""
    for head in HEADS:
        for horizon in DEFINITIONS.horizons_days:
            column = models.test_predictions[f"{head}_{horizon}d"]
            label = models.test_predictions[f"{head}_{horizon}d_label"]
            figure = models.metrics["heads"][head]["horizons"][f"{horizon}d"]["models"]["keepgrow"]
            assert figure["metrics"]["roc_auc"]["value"] == pytest.approx(
                roc_auc_score(label, column), abs=1e-6
            )
    test = signal.part(SPLIT.test, DEFINITIONS)
    assert models.test_predictions["account_id"].tolist() == test.labels.account_id.tolist()


def test_noise_is_not_found() -> None:
    """Where no feature says anything, the interval of the AUC on test rows holds 0.5."""
    rows = planted(5, strength=0.0, base=-2.0)
    head = fitted(rows).head
    test = rows.part(SPLIT.test, DEFINITIONS)
    score = head.probabilities(test.matrix)[:, -1]
    label = test.labels.outcome("churn", DEFINITIONS.horizons_days[-1])
    found = AccountBootstrap(test.labels.account_id, samples=400, seed=1, confidence=0.99).estimate(
        lambda weight: roc_auc(label, score, weight)
    )
    assert found.low <= 0.5 <= found.high
    assert found.high - found.low < 0.2


@pytest.mark.parametrize("head", HEADS)
def test_hazards_of_later_rows_are_near_the_true_ones(
    models: TrainedModels, signal: TrainingSet, head: HeadName
) -> None:
    """On test rows, which nothing was fitted to, mean hazards are the true ones but for the noise of 1,000 rows."""
    matrix = signal.part(SPLIT.test, DEFINITIONS).matrix
    truth = hazards(matrix, head, strength=2.0, base=-3.0)
    found = models.head(head).hazards(matrix)
    for index in range(len(HORIZONS)):
        assert found[:, index].mean() == pytest.approx(truth[:, index].mean(), rel=0.25)
    assert np.abs(found - truth).mean() < 0.3 * np.abs(truth - truth.mean()).mean()


def test_composed_probability_is_calibrated_on_later_rows(models: TrainedModels, signal: TrainingSet) -> None:
    """Test events are as many as expected, within the noise of both parts, and rise with the log-odds one for one."""
    test = signal.part(SPLIT.test, DEFINITIONS)
    for head in HEADS:
        probability = models.head(head).probabilities(test.matrix)
        for index, horizon in enumerate(DEFINITIONS.horizons_days):
            label, said = test.labels.outcome(head, horizon), probability[:, index]
            assert abs(label.sum() - said.sum()) < 3 * np.sqrt(2 * (said * (1 - said)).sum())
            assert calibration_slope(label, said, np.ones((1, len(label))))[0] == pytest.approx(1, abs=0.3)


def segmented_rows(seed: int, drift: float, rows: int = 3_000) -> HeadRows:
    """Return rows of one head whose plans lie *drift* log-odds apart, with the planted signal besides."""
    rng = np.random.default_rng(seed)
    matrix = make_matrix(rng, rows, missing=0.05)
    matrix[:, PLAN] = rng.integers(0, 3, rows)
    truth = hazards(matrix, "churn", strength=1.5, base=-2.0)
    odds = np.log(truth) - np.log1p(-truth) + drift * (matrix[:, [PLAN]] - 1.0)
    happens = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    at_risk = np.cumsum(happens, axis=1) - happens == 0
    accounts = np.array([f"a{number}" for number in range(rows)], dtype=object)
    return HeadRows(matrix, Intervals(at_risk, happens & at_risk, np.ones_like(at_risk)), accounts)


@pytest.mark.parametrize("drift", [0.0, 1.2])
def test_the_calibration_that_validation_prefers_ships(drift: float) -> None:
    """Where plans came apart after training, each gets an intercept, and later rows gain; else Platt stays."""
    train, validation, later = (
        segmented_rows(number, amount) for number, amount in ((1, 0.0), (2, drift), (3, drift))
    )
    options: dict[str, Any] = {
        "definitions": DEFINITIONS,
        "feature_names": NAMES,
        "seed": 7,
        "num_threads": 1,
        "progress": lambda _: None,
    }
    platt = train_head("churn", train, validation, train, **options)
    chosen = train_head(
        "churn",
        train,
        validation,
        train,
        segments=SegmentColumn(PLAN, 3),
        compare_calibrations=True,
        **options,
    )
    assert platt.forms == {}
    shipped = {told["shipped"] for told in chosen.forms.values()}
    if not drift:
        assert shipped == {"platt"}
        assert chosen.head.segment_column is None
        assert chosen.choice == platt.choice
        return
    assert shipped == {"platt_by_segment"}
    assert chosen.head.segment_column == chosen.on_train.segment_column == PLAN
    assert all(len(told["offsets"]) == 3 for told in chosen.choice["calibration"])
    happened = later.intervals.event.any(axis=1).astype(float)

    def loss(head: HazardHead) -> float:
        said = head.probabilities(later.matrix)[:, -1]
        return float(-np.mean(happened * np.log(said) + (1 - happened) * np.log1p(-said)))

    assert loss(chosen.head) < loss(platt.head) - 0.01
    for code in range(3):
        here = later.matrix[:, PLAN] == code
        said = chosen.head.probabilities(later.matrix[here])[:, -1]
        assert said.mean() == pytest.approx(happened[here].mean(), abs=0.06)


def test_seed_decides_and_threads_do_not() -> None:
    """The same seed gives the same rounds and probabilities on one thread and on two, another seed others."""
    rows = planted(3, accounts=150)
    test = rows.part(SPLIT.test, DEFINITIONS).matrix
    one, two = fitted(rows), fitted(rows, threads=2)
    expected = one.head.probabilities(test)
    np.testing.assert_array_equal(two.head.probabilities(test), expected)
    assert two.choice == one.choice
    assert not np.array_equal(fitted(rows, seed=8).head.probabilities(test), expected)


def test_refit_rows_change_the_final_head_only() -> None:
    """The head that thresholds are chosen by never sees the refit rows, among which are those of validation."""
    rows = planted(4, accounts=300)
    parts = [rows.part(part, DEFINITIONS).head_rows("churn") for part in (SPLIT.train, SPLIT.validation)]
    others = planted(40, accounts=300).part(SPLIT.refit, DEFINITIONS).head_rows("churn")
    settings = {
        "definitions": DEFINITIONS,
        "feature_names": NAMES,
        "seed": 7,
        "num_threads": 1,
        "progress": lambda _: None,
    }
    without = train_head("churn", *parts, None, **settings)
    with_refit = train_head("churn", *parts, others, **settings)
    matrix = parts[1].matrix
    np.testing.assert_array_equal(
        with_refit.on_train.probabilities(matrix), without.head.probabilities(matrix)
    )
    assert without.head is without.on_train
    assert not np.array_equal(with_refit.head.probabilities(matrix), without.head.probabilities(matrix))


def test_planted_leak_is_refused_by_name() -> None:
    """A column that holds the days to churn is refused, with its name, head and horizon."""
    with pytest.raises(LeakageError, match=r"churn within 30 days: mrr \(AUC 1\.000\)") as caught:
        trained_on(planted(1, accounts=300, leak=True))
    assert "max_single_feature_auc" in str(caught.value)


def without_events(rows: TrainingSet, head: HeadName, part: str, keep: int) -> TrainingSet:
    """Return *rows* with all but *keep* events of *head* taken out of *part*."""
    there = np.isin(rows.labels.cutoff, np.array(getattr(SPLIT, part).cutoffs, dtype="datetime64[D]"))
    days = rows.labels.event_days[head].copy()
    events = np.flatnonzero(there & np.isfinite(days))
    days[events[keep:]] = np.inf
    return replace(rows, labels=replace(rows.labels, event_days={**rows.labels.event_days, head: days}))


@pytest.mark.parametrize(
    ("part", "called"), [("train", "training"), ("validation", "validation"), ("test", "test")]
)
@pytest.mark.parametrize("head", HEADS)
def test_too_few_events_are_refused_by_head_and_part(head: HeadName, part: str, called: str) -> None:
    """Four events in any part are too few: the error says which head, part, how many, and what would do."""
    rows = without_events(planted(1, accounts=60, base=-1.0), head, part, 4)
    with pytest.raises(TooLittleDataError) as caught:
        trained_on(rows)
    message = str(caught.value)
    assert message.startswith(f"{head}: the {called} part (")
    assert "4 events" in message
    assert "at least 5" in message
    assert "More accounts, a longer history or closer cutoffs would do" in message


def test_part_without_a_single_survivor_is_refused() -> None:
    """Where every row has the event there is nothing to tell apart."""
    rows = planted(1, accounts=60)
    event_days = {**rows.labels.event_days, "churn": np.full(len(rows.labels), 5.0)}
    with pytest.raises(TooLittleDataError, match="churn: the training part"):
        trained_on(replace(rows, labels=replace(rows.labels, event_days=event_days)))
