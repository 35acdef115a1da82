"""Intervals, outlook and support in a score: what the bundle says, for those who ask, and nothing otherwise."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.bundle.loader import Outputs
from serving.decisions.framing import FrameMaker
from serving.scoring.engine import Asked, finish, score_rows
from serving.scoring.exact import score_exactly
from serving.scoring.outlook import Outlook, outlooks
from serving.scoring.written import write
from tests.serving.scoring.conftest import NOW
from tests.serving.scoring.one_row import one_of
from tests.serving.scoring.test_engine import known

if TYPE_CHECKING:
    from serving.bundle.loader import Bundle
    from tests.serving.scoring.test_engine import Rows

HORIZONS = ["30d", "60d", "90d"]


def test_each_probability_gets_its_interval(further: Bundle, make_rows: Rows) -> None:
    """Each interval is the graph's to six decimals, holds its probability, and stands beside it in the answer."""
    rows = make_rows(60)
    outputs = further.run(rows.matrix, contributions=False, intervals=True)
    for row, score in enumerate(known(score_rows(rows, further, NOW, intervals=True))):
        answer = score.to_dict()
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer
        for head in ("churn", "upsell"):
            interval = answer[f"{head}_interval_90"]
            assert list(interval) == HORIZONS
            ends = np.array(list(interval.values()))
            assert ends[:, 0] == pytest.approx(outputs.low[head][row], abs=5.1e-7)
            assert ends[:, 1] == pytest.approx(outputs.high[head][row], abs=5.1e-7)
            likely = np.array(list(answer[f"{head}_probability"].values()))
            assert ((ends[:, 0] <= likely) & (likely <= ends[:, 1])).all()


def test_the_outlook_is_the_graphs(further: Bundle, make_rows: Rows) -> None:
    """Long horizon, amount, trajectory and effects come through to six decimals, each account's own."""
    rows = make_rows(40)
    outputs = further.run(rows.matrix, contributions=False, outlook=True)
    for row, score in enumerate(known(score_rows(rows, further, NOW, signals=False, outlook=True))):
        outlook = score.outlook
        assert outlook.upsell_long == pytest.approx(outputs.long_horizon[row], abs=5.1e-7)
        assert outlook.upsell_long >= score.upsell_probability["90d"]
        assert outlook.extra_mrr_ratio == pytest.approx(outputs.extra_mrr_ratio[row], abs=5.1e-7)
        assert sum(outlook.trajectory) == pytest.approx(1.0, abs=2e-6)
        assert outlook.effects == pytest.approx(outputs.effects[row], abs=5.1e-7)
        assert outlook.effect_errors == pytest.approx(outputs.effect_errors[row], abs=5.1e-7)


def test_who_does_not_ask_gets_neither(further: Bundle, make_rows: Rows) -> None:
    """Without the question the score is the same and has no interval and no outlook; in JSON they are left out."""
    rows = make_rows(20)
    plain = known(score_rows(rows, further, NOW))
    full = known(score_rows(rows, further, NOW, intervals=True, outlook=True))
    assert plain == [
        score._replace(churn_interval=None, upsell_interval=None, outlook=None) for score in full
    ]
    assert "churn_interval_90" not in plain[0].to_dict()
    assert plain[0].outlook is None


def test_a_bundle_that_has_neither_is_scored_all_the_same(bundle: Bundle, make_rows: Rows) -> None:
    """A bundle of an earlier release answers the same with and without the question."""
    rows = make_rows(10)
    assert score_rows(rows, bundle, NOW, intervals=True, outlook=True) == score_rows(rows, bundle, NOW)
    frame = FrameMaker(bundle.manifest).frame(rows, 0, known(score_rows(rows, bundle, NOW))[0], now=NOW)
    assert (frame.effects, frame.extra_mrr_ratio, frame.trajectory) == ({}, None, {})


def test_an_account_alone_has_the_outlook_that_it_has_among_others(further: Bundle, make_rows: Rows) -> None:
    """Interval and outlook of an account do not depend on whom it is scored with."""
    rows = make_rows(20)
    together = known(score_rows(rows, further, NOW, intervals=True, outlook=True))
    for index in range(20):
        alone = score_rows(one_of(rows, index), further, NOW, intervals=True, outlook=True)
        assert known(alone) == [together[index]]


def test_exact_reasons_come_with_the_same_intervals(further: Bundle, make_rows: Rows) -> None:
    """How reasons are made changes nothing about the intervals."""
    rows = make_rows(5)
    exact = known(score_exactly(rows, further, NOW, intervals=True))
    usual = known(score_rows(rows, further, NOW, intervals=True))
    assert [score.churn_interval for score in exact] == [score.churn_interval for score in usual]
    assert known(score_exactly(rows, further, NOW))[0].churn_interval is None


def test_an_account_unlike_those_of_training_is_thin(further: Bundle, make_rows: Rows) -> None:
    """Values far outside training's ranges make evidence thin and say why, one by one and written together alike."""
    rows = make_rows(12, missing=0.0)
    rows.matrix[:, 8] = 400.0
    rows.matrix[[2, 7]] = 1e12
    found = known(score_rows(rows, further, NOW))
    unlike = [index for index, score in enumerate(found) if score.evidence.status == "thin"]
    assert unlike == [2, 7]
    assert found[2].evidence.reasons == ("unlike_training",)
    assert found[2].to_dict()["evidence"]["reasons"] == ["unlike_training"]
    assert found[0].to_dict()["evidence"]["reasons"] == []
    asked = Asked.of(rows)
    written = write(asked, further.run_explained(asked.matrix), further, NOW)
    assert written.statuses == [score.evidence.status for score in found]
    assert [one["evidence"]["reasons"] for one in json.loads(b"[" + written.scores + b"]")] == [
        list(score.evidence.reasons) for score in found
    ]


def test_what_the_graph_can_not_tell_is_none(further: Bundle, make_rows: Rows) -> None:
    """Numbers that are not finite become None, a trajectory with one of them is left out, and JSON bears it."""
    rows = make_rows(2)
    outputs = further.run(rows.matrix, contributions=True, outlook=True)
    broken = dataclasses.replace(
        outputs,
        extra_mrr_ratio=np.array([np.nan, 0.25]),
        trajectory=np.array([[np.nan, 0.5, 0.5], [0.2, 0.3, 0.5]]),
        effects=np.where(np.arange(8).reshape(2, 4) == 1, np.inf, 0.1),
    )
    scores = known(finish(Asked.of(rows), broken, further, NOW))
    assert [score.outlook.extra_mrr_ratio for score in scores] == [None, 0.25]
    assert [score.outlook.trajectory for score in scores] == [(), (0.2, 0.3, 0.5)]
    assert scores[0].outlook.effects == (0.1, None, 0.1, 0.1)
    frame = FrameMaker(further.manifest).frame(rows, 0, scores[0], now=NOW)
    assert frame.trajectory == {}
    assert frame.effects["schedule_success_call"]["retained"].mean is None


def test_parts_that_a_bundle_lacks_are_none_or_empty() -> None:
    """A bundle may have one part of the outlook and not the others."""
    probabilities = {"churn": np.array([[0.1]])}
    assert outlooks(Outputs(probabilities, None), 1) == [None]
    only = Outputs(probabilities, None, extra_mrr_ratio=np.array([0.3]))
    assert outlooks(only, 1) == [Outlook(None, 0.3, (), (), ())]


def test_a_frame_holds_effects_by_action_and_outcome(further: Bundle, make_rows: Rows) -> None:
    """Each column of the bundle's effects is found by action and outcome, with its error and what it rests on."""
    rows = make_rows(3)
    score = known(score_rows(rows, further, NOW, outlook=True))[1]
    frame = FrameMaker(further.manifest).frame(rows, 1, score, now=NOW)
    assert frame.effects_window_days == 90
    assert frame.extra_mrr_ratio == score.outlook.extra_mrr_ratio
    assert list(frame.trajectory) == list(further.manifest.trajectory.classes)
    for number, column in enumerate(further.manifest.effects.columns):
        effect = frame.effects[column.action][column.outcome]
        assert (effect.mean, effect.standard_error) == (
            score.outlook.effects[number], score.outlook.effect_errors[number],
        )  # fmt: skip
        assert (effect.basis, effect.learner, effect.draws) == (column.basis, column.learner, column.draws)
    assert frame.effect("any", "start_trial_or_upgrade", "retained") is None
