"""Scoring rows gives every account what the heads say, and nothing that JSON can't say."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest

from serving.errors import UnknownAccount
from serving.scoring.engine import score_rows
from serving.scoring.result import AccountScore
from tests.serving.scoring.conftest import NOW
from tests.serving.scoring.one_row import one_of
from tests.training.export.small_models import make_trained

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.bundle.loader import Bundle
    from serving.features.rows import FeatureRows

    Rows = Callable[..., FeatureRows]


def known(results: list[AccountScore | UnknownAccount]) -> list[AccountScore]:
    """Return the results, all of which must be scores."""
    scores = [result for result in results if isinstance(result, AccountScore)]
    assert len(scores) == len(results)
    return scores


def test_the_answer_has_the_documented_shape(bundle: Bundle, make_rows: Rows) -> None:
    """An answer holds exactly the documented fields, and survives strict JSON."""
    answer = known(score_rows(make_rows(1), bundle, NOW))[0].to_dict()
    assert set(answer) == {
        "account_id", "churn_risk_score", "churn_risk_tier", "churn_probability", "upsell_probability",
        "signals", "evidence", "expansion_ready", "winback", "model", "feature_contract",
    }  # fmt: skip
    assert set(answer["churn_probability"]) == {"30d", "60d", "90d"} == set(answer["upsell_probability"])
    assert set(answer["signals"]) == {"method", "base", "raising", "lowering", "others"}
    for signal in answer["signals"]["raising"] + answer["signals"]["lowering"]:
        assert set(signal) == {"signal", "feature", "value", "contribution", "text"}
    assert set(answer["evidence"]["views"]) == {"usage", "commercial", "profile"}
    assert answer["model"] == bundle.tag
    assert answer["feature_contract"] == bundle.manifest.contract.hash
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_scores_are_the_heads_probabilities(bundle: Bundle, make_rows: Rows) -> None:
    """Probabilities are LightGBM's to six decimals, and the score and tier follow from the 90-day one."""
    rows = make_rows(200)
    heads = make_trained().heads
    churn, upsell = (head.probabilities(rows.matrix) for head in heads)
    for row, score in enumerate(known(score_rows(rows, bundle, NOW))):
        assert list(score.churn_probability.values()) == pytest.approx(churn[row], abs=5.1e-7)
        assert list(score.upsell_probability.values()) == pytest.approx(upsell[row], abs=5.1e-7)
        assert score.churn_risk_score == int(np.floor(churn[row, 2] * 100 + 0.5))
        tier = next(tier for tier in bundle.manifest.tiers if tier.name == score.churn_risk_tier)
        assert tier.low <= score.churn_risk_score <= tier.high


def test_one_account_scores_alone_as_it_does_among_others(bundle: Bundle, make_rows: Rows) -> None:
    """A batch and single requests give equal answers."""
    rows = make_rows(30)
    together = known(score_rows(rows, bundle, NOW))
    for row in range(30):
        assert known(score_rows(one_of(rows, row), bundle, NOW)) == [together[row]]


def test_unknown_accounts_keep_their_place_and_do_not_stop_others(bundle: Bundle, make_rows: Rows) -> None:
    """Accounts of which nothing is known come back as such, in order; the others are scored as ever."""
    rows = make_rows(5)
    everyone = known(score_rows(rows, bundle, NOW))
    rows.known[[0, 3]] = False
    rows.matrix[[0, 3]] = np.nan
    results = score_rows(rows, bundle, NOW)
    for place in (0, 3):
        result = results[place]
        assert isinstance(result, UnknownAccount)
        assert result.account_id == rows.account_ids[place]
    assert [results[place] for place in (1, 2, 4)] == [everyone[place] for place in (1, 2, 4)]
    rows.known[:] = False
    assert all(isinstance(result, UnknownAccount) for result in score_rows(rows, bundle, NOW))


def test_no_accounts_give_no_scores(bundle: Bundle, make_rows: Rows) -> None:
    """An empty request is answered by an empty list."""
    assert score_rows(make_rows(0), bundle, NOW) == []


def test_odd_features_still_give_finite_answers(bundle: Bundle, make_rows: Rows) -> None:
    """Missing, infinite, huge and tiny values are scored, and nothing but finite numbers comes out."""
    rows = make_rows(60)
    random = np.random.default_rng(0)
    odd = random.random(rows.matrix.shape) < 0.5
    rows.matrix[odd] = random.choice([np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0], int(odd.sum()))
    for score in known(score_rows(rows, bundle, NOW)):
        json.dumps(score.to_dict(), allow_nan=False)
        by_horizon = list(score.churn_probability.values())
        assert by_horizon == sorted(by_horizon)
        assert 0 <= by_horizon[0] <= by_horizon[-1] <= 1


def test_reasons_can_be_left_out(bundle: Bundle, make_rows: Rows) -> None:
    """Without signals the numbers are the same and reasons are empty."""
    rows = make_rows(20)
    full = known(score_rows(rows, bundle, NOW))
    bare = known(score_rows(rows, bundle, NOW, signals=False))
    assert any(score.raising for score in full)
    nothing = {"raising": (), "lowering": (), "signals_base": None, "others": None}
    assert bare == [score._replace(**nothing) for score in full]


def test_signals_are_ordered_signed_and_true_to_the_row(bundle: Bundle, make_rows: Rows) -> None:
    """Raising signals are positive, lowering negative, strongest first, and values are the account's own."""
    rows = make_rows(100)
    names = [feature.name for feature in bundle.manifest.contract.model_features]
    for row, score in enumerate(known(score_rows(rows, bundle, NOW))):
        for signals, sign in ((score.raising, 1), (score.lowering, -1)):
            pushes = [sign * signal.contribution for signal in signals]
            assert all(push > 0 for push in pushes)
            assert pushes == sorted(pushes, reverse=True)
            assert len({signal.signal for signal in signals}) == len(signals)
            for signal in signals:
                cell = rows.matrix[row, names.index(signal.feature)]
                if signal.feature == "plan":
                    assert signal.value == rows.context[row]["plan"]
                elif np.isnan(cell):
                    assert signal.value is None
                else:
                    assert signal.value == pytest.approx(cell, rel=1e-6, abs=1e-6)


def test_a_young_account_is_thin_and_the_clock_is_named(bundle: Bundle, make_rows: Rows) -> None:
    """The account's age in the matrix makes evidence thin; a label of the clock goes into the evidence."""
    rows = make_rows(1, missing=0.0)
    rows.matrix[0, 8] = 10.0
    score = known(score_rows(rows, bundle, NOW, "demonstration"))[0]
    assert score.evidence.status == "thin"
    assert score.evidence.clock == "demonstration"
    later = known(score_rows(rows, bundle, NOW + dt.timedelta(days=30)))[0]
    assert later.evidence.status == "stale"


def test_a_naive_clock_is_refused(bundle: Bundle, make_rows: Rows) -> None:
    """A time without a zone would shift ages by the machine's zone."""
    with pytest.raises(ValueError, match="no time zone"):
        score_rows(make_rows(1), bundle, dt.datetime(2026, 3, 1))  # noqa: DTZ001 -- that is the point


def test_what_is_sent_is_what_the_score_says(bundle: Bundle, make_rows: Rows) -> None:
    """The form for HTTP, in part serialised ahead, holds the same as the plain dictionary."""
    for score in known(score_rows(make_rows(20), bundle, NOW, "demonstration")):
        assert orjson.loads(orjson.dumps(score.to_json_value())) == score.to_dict()
