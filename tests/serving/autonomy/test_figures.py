"""Weekly figures: what is counted in which week, and how sure a share is."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.autonomy.figures import WEEK, Applied, History, Proposed, counted, together
from serving.wilson import Ratio

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


def proposed(days: float, account: str = "a", *events: str, valid: bool = True) -> Proposed:
    """Return a proposal some days after `START`."""
    return Proposed(START + dt.timedelta(days=days), account, valid, frozenset(events))


@pytest.mark.parametrize(
    ("events", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.277533),
        (5, 10, 0.236593, 0.763407),
        (1, 50, 0.003539, 0.104954),
        (10, 10, 0.722467, 1.0),
    ],
)
def test_the_interval_is_wilson_s(events: int, of: int, low: float, high: float) -> None:
    """The figures of SciPy, `binomtest(events, of).proportion_ci(method="wilson")`."""
    assert Ratio(events, of).interval_95 == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 10**6).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share(counts: tuple[int, int]) -> None:
    """Of any counts it lies between 0 and 1, around the share."""
    ratio = Ratio(*counts)
    low, high = ratio.interval_95
    assert ratio.value is not None
    assert 0 <= low <= ratio.value <= high <= 1
    assert high > low


def test_of_nothing_nothing_is_known() -> None:
    """A share of nothing is none, and its interval is everything."""
    assert Ratio(0, 0).value is None
    assert Ratio(0, 0).interval_95 == (0.0, 1.0)


def test_an_outcome_counts_in_the_week_of_its_decision() -> None:
    """Only decisions that somebody saw are what complaints and rejections are shares of."""
    history = History(
        START,
        [
            proposed(0, "a", "shown"),
            proposed(1, "a", "shown", "clicked"),
            proposed(6.9, "b", "complained"),
            proposed(7, "c", "rejected"),
            proposed(8, "d", "not_shown", valid=False),
        ],
        [Applied(START, undone=True), Applied(START + WEEK, undone=False, given_up=True)],
    )
    first, second = history.weeks(START + 2 * WEEK, 4)
    assert (first.start, second.start) == (START, START + WEEK)
    assert first.figures.to_dict() == {
        "proposed": 3, "accounts": 2, "shown": 3, "rejected": 0, "complained": 1,
        "applied": 1, "reversed": 1, "checked": 4, "valid": 4,
    }  # fmt: skip
    assert second.figures.to_dict() == {
        "proposed": 2, "accounts": 2, "shown": 1, "rejected": 1, "complained": 0,
        "applied": 1, "reversed": 0, "checked": 3, "valid": 1,
    }  # fmt: skip
    whole = together([first, second])
    assert (whole.reversal.value, whole.complaint.value, whole.validity.value) == (0.5, 0.25, 5 / 7)


def test_only_whole_weeks_count() -> None:
    """A week that has not ended is not there yet, and only the last ones are."""
    history = History(START, [proposed(day) for day in range(30)])
    assert history.weeks(START + WEEK - dt.timedelta(seconds=1), 4) == []
    assert len(history.weeks(START + WEEK, 4)) == 1
    last = history.weeks(START + dt.timedelta(days=29), 2)
    assert [week.start for week in last] == [START + 2 * WEEK, START + 3 * WEEK]
    assert [week.figures.proposed for week in last] == [7, 7]
    assert history.whole_weeks(START - WEEK) == 0


def test_a_week_of_nothing_is_counted_as_such() -> None:
    """No division by nothing."""
    assert counted([], []).validity.value is None
    assert together([]).proposed == 0
