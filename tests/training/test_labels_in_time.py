"""Labels hold whatever comes later: of random histories, and of accounts that leave, return and buy more."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feature_repo.tables.folders import write_folder
from tests.training.periods import PLANS, Period, subscriptions
from training.definitions import HEADS, UpsellDefinition, load_definitions
from training.labels import Labels, label_accounts, read_labels

if TYPE_CHECKING:
    from pathlib import Path

DEFINITIONS = load_definitions()
FIRST = dt.date(2024, 1, 1)
CUTOFF = 100
END = 700


def day(number: int) -> dt.date:
    """Return day *number* of the test calendar."""
    return FIRST + dt.timedelta(days=number)


def period(start: int, end: int | None, plan: str = "basic", seats: int = 5, *, account: str = "a") -> Period:
    """Return a paid period from day *start* to day *end*."""
    until = None if end is None else day(end).isoformat()
    return Period(day(start).isoformat(), until, plan, seats, account=account)


def labelled(*periods: Period, end: int = END, cutoffs: tuple[int, ...] = (CUTOFF,)) -> Labels:
    """Return labels in a world whose data ends with the day before *end*."""
    return label_accounts(
        subscriptions(*periods),
        [day(number) for number in cutoffs],
        end_day=day(end - 1),
        plan_order=PLANS,
        definitions=DEFINITIONS,
    )


HISTORIES = st.lists(
    st.builds(
        lambda account, start, length, plan, seats: (
            start,
            None if length is None else start + length,
            plan,
            seats,
            account,
        ),
        st.sampled_from("abc"),
        st.integers(0, 300),
        st.integers(1, 120) | st.none(),
        st.sampled_from((*PLANS, "bespoke")),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=30, deadline=None)
@given(history=HISTORIES, reach=st.integers(0, 200))
def test_known_labels_do_not_depend_on_what_comes_later(
    history: list[tuple[int, int | None, str, int, str]], reach: int
) -> None:
    """Labels known by a day are the same whether or not the subscriptions after that day are there."""
    by = CUTOFF + reach
    full = [period(start, end, plan, seats, account=who) for start, end, plan, seats, who in history]
    past = [
        period(start, None if end is None or end > by else end, plan, seats, account=who)
        for start, end, plan, seats, who in history
        if start <= by
    ]
    later, then = labelled(*full).known_by(day(by), DEFINITIONS), labelled(*past, end=by)
    assert later.account_id.tolist() == then.account_id.tolist()
    for head in HEADS:
        for horizon in DEFINITIONS.horizons_days:
            np.testing.assert_array_equal(later.outcome(head, horizon), then.outcome(head, horizon))
        spans, known = later.intervals(head), then.intervals(head)
        np.testing.assert_array_equal(spans.observed, known.observed)
        np.testing.assert_array_equal(spans.event & spans.observed, known.event & known.observed)


def test_early_churn_does_not_make_a_late_horizon_known() -> None:
    """An event that is there already does not fill a horizon that isn't over: only churners would be known."""
    found = labelled(period(0, 105), end=CUTOFF + 60)
    assert found.outcome("churn", 30).tolist() == [1.0]
    assert np.isnan(found.outcome("churn", 60)).all()
    assert found.intervals("churn").observed.tolist() == [[True, False, False]]


def test_nothing_after_churn_is_an_upsell_of_the_stay_that_ended() -> None:
    """Neither a higher plan at a win-back nor one after it counts, though it lies within the horizon."""
    at_return = labelled(period(0, 110), period(150, None, "premier"))
    after_return = labelled(period(0, 110), period(145, 160), period(160, None, "premier"))
    for found in (at_return, after_return):
        assert found.event_days["churn"].tolist() == [10]
        assert found.outcome("upsell", 90).tolist() == [0]


def test_first_upsell_after_the_cutoff_counts() -> None:
    """Of several upsells the first after the cutoff is the event; those before it are the past."""
    found = labelled(
        period(0, 50, "starter"),
        period(50, 130),
        period(130, 160, "premier"),
        period(160, None, "premier", 9),
    )
    assert found.event_days["upsell"].tolist() == [30]


def test_event_before_the_cutoff_is_the_past() -> None:
    """A day before the cutoff, an end puts the account out of risk and an upsell is no event any more."""
    assert len(labelled(period(0, CUTOFF - 1))) == 0
    found = labelled(period(0, CUTOFF - 1), period(CUTOFF - 1, None, "premier"))
    assert found.event_days["upsell"].tolist() == [np.inf]


@pytest.mark.parametrize(
    ("kept", "by_plan", "by_seats"),
    [("higher_plan", 10, np.inf), ("more_seats", np.inf, 10)],
)
def test_definitions_say_which_moves_count_as_upsell(kept: str, by_plan: float, by_seats: float) -> None:
    """With one way switched off, only the other is an upsell."""
    off = "more_seats" if kept == "higher_plan" else "higher_plan"
    rules = DEFINITIONS.model_copy(update={"upsell": UpsellDefinition.model_validate({off: False})})
    for move, days in ((("premier", 5), by_plan), (("basic", 6), by_seats)):
        found = label_accounts(
            subscriptions(period(0, 110), period(110, None, *move)),
            [day(CUTOFF)],
            end_day=day(END),
            plan_order=PLANS,
            definitions=rules,
        )
        assert found.event_days["upsell"].tolist() == [days]


def test_currency_and_price_are_ignored(tmp_path: Path) -> None:
    """A renewal in another currency, at a number a hundred times as large, is neither churn nor upsell."""
    shared = {"account_id": "a", "plan": "basic", "seats": 5}
    rows = [
        {
            **shared,
            "subscription_id": "1",
            "mrr": 10.0,
            "currency": "EUR",
            "started_at": day(0),
            "ended_at": day(120),
        },
        {
            **shared,
            "subscription_id": "2",
            "mrr": 1600.0,
            "currency": "JPY",
            "started_at": day(120),
            "ended_at": None,
        },
    ]
    accounts = [{"account_id": "a", "created_at": day(0)}]
    data = write_folder(tmp_path, {"accounts": accounts, "subscriptions": rows}, form="parquet")
    (data / "dataset.yaml").write_text(f"end_day: {day(END)}\n", encoding="utf-8")
    found = read_labels(data, [day(CUTOFF)], DEFINITIONS)
    assert found.event_days["churn"].tolist() == found.event_days["upsell"].tolist() == [np.inf]
