"""Reasons must make up the score they are given for, and point where the score goes without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import pytest

from serving.errors import UnknownAccount
from serving.scoring.engine import score_rows
from serving.scoring.exact import score_exactly
from tests.serving.scoring.conftest import NOW
from tests.training.export.small_models import make_matrix
from training.export.hard_rows import hard_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle
    from serving.features.rows import FeatureRows
    from serving.scoring.result import AccountScore

    Rows = Callable[..., FeatureRows]
    Matrix = NDArray[np.float64]

ACCOUNTS = 1_200
SHOWN_TO = 1.1e-4
"""Half a digit of what the others contribute, and of float32."""
REPLACED_BY = 48
STRONG = 0.1


def known(results: list[AccountScore | UnknownAccount]) -> list[AccountScore]:
    """Return the results, all of which must be scores."""
    return [result for result in results if not isinstance(result, UnknownAccount)]


def log_odds(bundle: Bundle, matrix: Matrix) -> Matrix:
    """Return the log-odds of the churn probability by the scored horizon."""
    found = bundle.run(matrix, contributions=False).probabilities["churn"]
    at = bundle.manifest.head("churn").horizons_days.index(bundle.manifest.score_horizon_days)
    return np.asarray(np.log(found[:, at]) - np.log1p(-found[:, at]))


def hard(rows: FeatureRows, bundle: Bundle) -> FeatureRows:
    """Overwrite half of *rows* with values on and beside thresholds, and a few with nothing known."""
    half = len(rows.matrix) // 2
    boosters = [lgb.Booster(model_file=str(file)) for file in bundle.path.glob("boosters/churn_*.txt")]
    made = hard_rows(boosters, rows.matrix[:100].copy(), half, np.random.default_rng(4))
    rows.matrix[:half] = made[:half]
    rows.matrix[:3] = np.nan
    return rows


def parts(score: AccountScore) -> float:
    """Return what an answer shows, added up."""
    shown = score.to_dict()["signals"]
    signals = [*shown["raising"], *shown["lowering"]]
    total: float = shown["base"]["log_odds"] + sum(one["contribution"] for one in signals) + shown["others"]
    return total


def test_an_answer_adds_up_to_its_score(bundle: Bundle, make_rows: Rows) -> None:
    """Base, signals and others make the log-odds of the score's probability, of ordinary and of adversarial rows."""
    rows = hard(make_rows(ACCOUNTS, seed=8), bundle)
    scores = known(score_rows(rows, bundle, NOW))
    assert len(scores) == ACCOUNTS
    expected = log_odds(bundle, rows.matrix)
    assert np.abs(np.array([parts(score) for score in scores]) - expected).max() < SHOWN_TO
    told = bundle.run_explained(rows.matrix).contributions
    start = bundle.manifest.head("churn").contributions_base
    assert told is not None
    assert start is not None
    assert np.abs(start.log_odds + told.sum(axis=1, dtype=np.float64) - expected).max() < 1e-6
    assert np.log(start.probability / (1 - start.probability)) == pytest.approx(start.log_odds, abs=1e-9)


def test_exact_reasons_add_up_too(bundle: Bundle, make_rows: Rows) -> None:
    """From the same base, all of an account's own contributions make its log-odds to 1e-7."""
    rows = hard(make_rows(60, seed=8), bundle)
    for score, expected in zip(
        known(score_exactly(rows, bundle, NOW)), log_odds(bundle, rows.matrix), strict=True
    ):
        assert score.contributions is not None
        assert score.signals_base is not None
        total = score.signals_base["log_odds"] + sum(score.contributions.values())
        assert total == pytest.approx(expected, abs=1e-7)
        assert parts(score) == pytest.approx(expected, abs=SHOWN_TO)


def without(bundle: Bundle, matrix: Matrix, background: Matrix, signals: list[str | None]) -> Matrix:
    """Return the log-odds of each row once one signal was taken from it.

    Its features, all together, get the values that they have in each row of the *background*, and the log-odds are
    averaged: contributions are measured from the average account, which no single value stands for.
    """
    features = bundle.manifest.contract.model_features
    copies = np.repeat(matrix, len(background), axis=0)
    for row, signal in enumerate(signals):
        columns = [at for at, feature in enumerate(features) if feature.signal == signal]
        here = slice(row * len(background), (row + 1) * len(background))
        copies[here, columns] = background[:, columns]
    return np.asarray(log_odds(bundle, copies).reshape(len(matrix), -1).mean(axis=1))


def test_without_its_strongest_signal_the_score_moves_as_the_reason_says(
    bundle: Bundle, make_rows: Rows
) -> None:
    """Taking the first signal away lowers the risk if it was said to raise it, and raises it if to lower it."""
    rows = make_rows(300, seed=21)
    background = make_matrix(np.random.default_rng(77), REPLACED_BY)
    scores = known(score_rows(rows, bundle, NOW))
    whole = log_odds(bundle, rows.matrix)
    right = count = elsewhere_right = elsewhere_count = 0
    for side in ("raising", "lowering"):
        named = [getattr(score, side)[0] if getattr(score, side) else None for score in scores]
        strong = np.array([one is not None and abs(one.contribution) > STRONG for one in named])
        said = np.array([one.contribution if one is not None else 0.0 for one in named])
        signals = [one.signal if one is not None else None for one in named]
        moved = whole - without(bundle, rows.matrix, background, signals)
        # The counter-check: what is said of this account's signal tells little of another signal of it.
        others = [signals[(row + 1) % len(signals)] for row in range(len(signals))]
        differs = np.array([one != other for one, other in zip(signals, others, strict=True)])
        elsewhere = whole - without(bundle, rows.matrix, background, others)
        right += int((moved * said > 0)[strong].sum())
        elsewhere_right += int((elsewhere * said > 0)[strong & differs].sum())
        elsewhere_count += int((strong & differs).sum())
        count += int(strong.sum())
        assert np.corrcoef(moved[strong], said[strong])[0, 1] > 0.5
    assert count > 500
    assert right / count > 0.97
    assert elsewhere_count > 200
    assert elsewhere_right / elsewhere_count < 0.7
