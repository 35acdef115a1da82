"""A trend is told against a score of 30 to 37 days ago by the same model, and of nothing else."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from serving.errors import UnknownAccount
from serving.scoring.engine import score_rows
from serving.scoring.trend import EarlierScore, trend_of
from tests.serving.scoring.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.bundle.loader import Bundle
    from serving.features.rows import FeatureRows
    from serving.scoring.result import AccountScore

DAY = dt.timedelta(days=1)


@pytest.fixture
def score(bundle: Bundle, make_rows: Callable[..., FeatureRows]) -> AccountScore:
    """Return the score of one account."""
    (found,) = score_rows(make_rows(1), bundle, NOW)
    assert not isinstance(found, UnknownAccount)
    return found


@pytest.mark.parametrize("days", [30, 37])
def test_a_change_is_now_less_then(score: AccountScore, bundle: Bundle, days: int) -> None:
    """Points and probability rise from what the same model said of the features of then, whose time is told."""
    horizon = f"{bundle.manifest.score_horizon_days}d"
    earlier = EarlierScore(NOW - days * DAY, 0.125, score.model)
    found = trend_of(score, earlier, bundle, NOW)
    assert found["churn_risk_score_change"] == score.churn_risk_score - 13
    assert found["churn_probability_change"] == pytest.approx(
        score.churn_probability[horizon] - 0.125, abs=1e-9
    )
    assert found["reason"] is None
    assert found["since"]["days"] == days
    assert found["since"]["churn_risk_score"] == 13
    assert found["since"]["churn_probability"] == {horizon: 0.125}


@pytest.mark.parametrize(
    ("days", "model", "code"),
    [(None, "", "no_earlier_score"), (30, "keepgrow:other", "another_model"), (29, "", "not_of_then"),
     (38, "", "not_of_then"), (-1, "", "not_of_then")],
)  # fmt: skip
def test_where_no_change_can_be_told_it_is_null_with_the_reason(
    score: AccountScore, bundle: Bundle, days: int | None, model: str, code: str
) -> None:
    """No record, another model's and one of another time give null and say so, never zero."""
    earlier = None if days is None else EarlierScore(NOW - days * DAY, 0.5, model or score.model)
    found = trend_of(score, earlier, bundle, NOW)
    assert found["reason"]["code"] == code
    assert [found[name] for name in ("churn_risk_score_change", "churn_probability_change", "since")] == [
        None
    ] * 3


def test_what_the_store_holds_comes_back_and_anything_else_is_none() -> None:
    """A record is read as it was written, to the second; what is no record is not taken for one."""
    earlier = EarlierScore(NOW, 0.123456, "keepgrow:abc")
    assert EarlierScore.from_bytes(earlier.to_bytes()) == earlier
    for other in (
        b"",
        b"0.5",
        b'[2, 1, 0.5, "m"]',
        b'[1, 1, 2.0, "m"]',
        b'[1, 1e300, 0.5, "m"]',
        b"\xff",
        b"[1]",
    ):
        assert EarlierScore.from_bytes(other) is None
