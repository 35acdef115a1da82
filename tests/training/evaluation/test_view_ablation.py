"""What a view is worth is measured in every training: the one that carries the signal is missed, noise is not."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.training.toy import DEFINITIONS, SPLIT, contract, world
from training.definitions import HEADS
from training.evaluation.metrics import roc_auc
from training.evaluation.view_ablation import MOST_ROWS, view_ablations
from training.heads.train import train_head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.dataset import TrainingSet
    from training.definitions import HeadName
    from training.heads.train import TrainedHead

VIEWS = {"risk": "useful", "need": "useful", "noise": "noise", "plan": "noise", "never_filled": "absent"}


@pytest.fixture(scope="module")
def rows() -> TrainingSet:
    """Return the toy world, its features in three views, of which one never varies."""
    made = world(accounts=250)
    first = contract()
    views = tuple(first.views[0].model_copy(update={"name": name}) for name in dict.fromkeys(VIEWS.values()))
    features = tuple(one.model_copy(update={"view": VIEWS[one.name]}) for one in first.features)
    return dataclasses.replace(made, contract=first.model_copy(update={"views": views, "features": features}))


@pytest.fixture(scope="module")
def trained(rows: TrainingSet) -> Mapping[HeadName, TrainedHead]:
    """Return both heads of the toy world."""
    parts = rows.parts(SPLIT, DEFINITIONS)
    names = [feature.name for feature in rows.contract.model_features]
    return {
        head: train_head(
            head,
            parts.train.head_rows(head),
            parts.validation.head_rows(head),
            None,
            definitions=DEFINITIONS,
            feature_names=names,
            seed=1,
            num_threads=1,
            progress=lambda _: None,
        )
        for head in HEADS
    }


def measured(
    rows: TrainingSet, trained: Mapping[HeadName, TrainedHead], most_rows: int = MOST_ROWS
) -> dict[str, Any]:
    """Return the ablations of *rows*."""
    return view_ablations(
        trained,
        rows,
        rows.parts(SPLIT, DEFINITIONS),
        definitions=DEFINITIONS,
        samples=40,
        seed=1,
        most_rows=most_rows,
    )


def test_the_view_with_the_signal_is_missed_and_noise_is_not(
    rows: TrainingSet, trained: Mapping[HeadName, TrainedHead]
) -> None:
    """Views come most missed first, with paired intervals; one whose features never vary is named, not measured."""
    found = measured(rows, trained)
    assert found["absent"] == ["absent"]
    for head in HEADS:
        useful, noise = found["heads"][head]["views"]
        assert (useful["view"], useful["verdict"], useful["features"]) == ("useful", "missed", 2)
        assert useful["roc_auc"]["high"] < -0.02
        assert useful["log_loss"]["value"] > 0
        assert (noise["view"], noise["features"]) == ("noise", 2)
        assert noise["verdict"] != "missed"
        assert abs(noise["roc_auc"]["value"]) < 0.02
        whole = found["heads"][head]["whole"]["roc_auc"]
        # The difference of two models on the same accounts is surer than either figure.
        assert noise["roc_auc"]["high"] - noise["roc_auc"]["low"] < whole["high"] - whole["low"]


def test_the_model_with_all_views_ranks_as_the_trained_one(
    rows: TrainingSet, trained: Mapping[HeadName, TrainedHead]
) -> None:
    """Fitted to the same rows with the same shared trees, the whole model is as good as the head it stands for."""
    found = measured(rows, trained)["heads"]["churn"]
    matrix, label, _ = rows.parts(SPLIT, DEFINITIONS).test.outcome("churn", 90)
    theirs = roc_auc(label, trained["churn"].on_train.probabilities(matrix)[:, 2])[0]
    assert found["whole"]["roc_auc"]["value"] == pytest.approx(theirs, abs=0.02)
    assert (found["rows"], found["events"]) == (len(label), int(label.sum()))


def test_few_rows_are_whole_accounts_and_the_result_repeats_itself(
    rows: TrainingSet, trained: Mapping[HeadName, TrainedHead]
) -> None:
    """No more rows than asked for are fitted, of whole accounts; equal seeds give equal JSON without NaN."""
    found = measured(rows, trained, most_rows=600)
    parts = rows.parts(SPLIT, DEFINITIONS)
    assert 400 < found["fitted_rows"] <= 600 < len(parts.train.matrix)
    per_account = len(parts.train.matrix) / len(set(parts.train.labels.account_id.tolist()))
    assert found["fitted_rows"] == pytest.approx(per_account * found["fitted_accounts"], rel=0.2)
    assert json.dumps(found, allow_nan=False) == json.dumps(measured(rows, trained, most_rows=600))


def test_what_can_not_be_measured_is_said(rows: TrainingSet, trained: Mapping[HeadName, TrainedHead]) -> None:
    """One view that varies can't be left out, and without events there is nothing to compare."""
    alone = rows.matrix.copy()
    alone[:, 2:4] = 1.0
    found = measured(dataclasses.replace(rows, matrix=alone), trained)
    assert set(found) == {"unmeasured"}
    days = {head: np.full_like(days, np.inf) for head, days in rows.labels.event_days.items()}
    calm = dataclasses.replace(rows, labels=dataclasses.replace(rows.labels, event_days=days))
    for head in HEADS:
        told = measured(calm, trained)["heads"][head]
        assert "unmeasured" in told
        assert told["events"] == 0
