"""Labels of win-back: who had left at a cutoff, when each came back, and what can't be told yet."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.feature_repo.pipeline import worlds
from tests.training.periods import Period, subscriptions
from training.definitions import load_definitions
from training.labels import label_accounts
from training.labels_winback import WINBACK, label_departed, read_departed

if TYPE_CHECKING:
    from pathlib import Path

    from training.labels import Labels

DEFINITIONS = load_definitions()
FIRST = dt.date(2024, 1, 1)
END = 800


def day(number: float) -> dt.date:
    """Return day *number* of the test calendar."""
    return FIRST + dt.timedelta(days=number)


def period(
    start: int, end: int | None, *, hour: int = 0, account: str = "a", is_trial: bool = False
) -> Period:
    """Return a period from day *start* to day *end*, at *hour* of that day."""
    until = None if end is None else f"{day(end).isoformat()}T{hour:02}:00:00"
    return Period(day(start).isoformat(), until, account=account, is_trial=is_trial)


def labelled(
    *periods: Period, cutoffs: tuple[int, ...], end: int = END, withheld: tuple[str, ...] = ()
) -> Labels:
    """Return labels in a world whose data ends with the day before *end*."""
    return label_departed(
        subscriptions(*periods),
        [day(number) for number in cutoffs],
        end_day=day(end - 1),
        definitions=DEFINITIONS,
        withheld=withheld,
    )


def test_an_account_with_a_subscription_or_without_any_has_not_left() -> None:
    """Who pays at the cutoff, never paid, or only tried is no row; nor is who may not be trained on."""
    pays, tried = period(0, None, account="pays"), period(0, 14, account="tried", is_trial=True)
    later, gone = period(300, None, account="later"), period(0, 100, account="gone")
    found = labelled(pays, tried, later, gone, cutoffs=(200,))
    assert found.account_id.tolist() == ["gone"]
    assert len(labelled(gone, cutoffs=(200,), withheld=("gone",))) == 0


@pytest.mark.parametrize("hour", [0, 15])
def test_it_has_left_once_the_grace_days_passed_and_for_a_year(hour: int) -> None:
    """The days since the end, as the feature of the day before the cutoff has them, lie between 30 and 365."""
    gone = period(0, 100, hour=hour)
    found = labelled(gone, cutoffs=(101, 130, 131, 300, 466, 467))
    assert [str(cutoff) for cutoff in found.cutoff] == [day(n).isoformat() for n in (131, 300, 466)]


def test_who_has_left_had_churned_if_asked_before() -> None:
    """A return within the grace days is none: such an account never left, by churn's labels as by these."""
    for back, has_left in ((130, False), (131, True)):
        periods = (period(0, 100), period(back, None))
        found = labelled(*periods, cutoffs=(131,))
        churn = label_accounts(
            subscriptions(*periods), [day(90)], end_day=day(END), plan_order=(), definitions=DEFINITIONS
        )
        assert np.isfinite(churn.event_days["churn"][0]) == has_left == bool(len(found))


def test_the_event_is_the_next_paid_start() -> None:
    """The cutoff's own moment counts, a trial does not, and of several returns the first one does."""
    gone = period(0, 100)
    trial, back, again = period(150, 164, is_trial=True), period(220, 300), period(400, None)
    found = labelled(gone, trial, back, again, cutoffs=(140, 170, 220, 350))
    assert found.event_days[WINBACK].tolist() == [80.0, 50.0, 0.0, 50.0]
    assert found.outcome(WINBACK, 60).tolist() == [0.0, 1.0, 1.0, 1.0]


def test_what_lies_past_the_data_or_the_next_part_is_not_known() -> None:
    """A horizon that reaches past what is known has no label, whether or not somebody came back."""
    found = labelled(period(0, 100), period(250, None), cutoffs=(140, 240), end=255)
    assert np.array_equal(found.outcome(WINBACK, 90), [0.0, np.nan], equal_nan=True)
    assert found.happened(WINBACK).tolist() == [True, True]
    censored = found.known_by(day(250), DEFINITIONS)
    assert censored.happened(WINBACK).tolist() == [False, False]
    spans = found.intervals(WINBACK)
    assert spans.observed.tolist() == [[True, True, True], [False, False, False]]
    assert np.array_equal(censored.outcome(WINBACK, 60), [0.0, np.nan], equal_nan=True)


def test_outcomes_never_fall_from_one_horizon_to_the_next() -> None:
    """Who is back within 30 days is back within 60 and 90."""
    rng = np.random.default_rng(3)
    periods = []
    for number in range(200):
        end = int(rng.integers(50, 400))
        periods.append(period(0, end, account=f"a{number}"))
        if rng.random() < 0.5:
            periods.append(period(end + int(rng.integers(20, 300)), None, account=f"a{number}"))
    found = labelled(*periods, cutoffs=(200, 300, 400))
    by_horizon = np.column_stack([found.outcome(WINBACK, days) for days in (30, 60, 90)])
    assert (np.diff(by_horizon, axis=1) >= 0).all()
    assert by_horizon[:, 0].any()


@pytest.mark.parametrize("seed", [1, 2])
def test_labels_and_features_agree_on_who_has_left(tmp_path: Path, seed: int) -> None:
    """In random worlds the rows are those whose `days_since_end` of the day before lies in the range."""
    world = worlds.random_world(random.Random(seed), 300)
    folder = worlds.write(world, tmp_path, 299)
    cutoffs = (150, 210, 270)
    labels = read_departed(folder, [worlds.day(number) for number in cutoffs], DEFINITIONS)
    told = set()
    for number in cutoffs:
        for row in worlds.features(folder, number - 1, number - 1, ["commercial"])["commercial"]:
            if row["days_since_end"] is not None and 30 <= row["days_since_end"] <= 365:
                told.add((row["account_id"], worlds.day(number)))
    found = set(zip(labels.account_id.tolist(), labels.cutoff.tolist(), strict=True))
    assert found == told
    assert found
