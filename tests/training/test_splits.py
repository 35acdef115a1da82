"""The time split: parts in order, labels of one never decided in the next."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from training.definitions import load_definitions
from training.errors import TooLittleDataError
from training.splits import split_by_time

DEFINITIONS = load_definitions()
START = dt.date(2022, 1, 1)


def with_split(**rules):
    """Return the default definitions with other split rules."""
    return DEFINITIONS.model_copy(update={"split": DEFINITIONS.split.model_copy(update=rules)})


@given(
    days=st.integers(200, 1500),
    step=st.integers(1, 60),
    warm_up=st.integers(0, 120),
    validation=st.floats(0.05, 0.45),
    test=st.floats(0.05, 0.45),
    grace=st.integers(0, 60),
)
def test_no_label_of_a_part_is_decided_in_a_later_part(days, step, warm_up, validation, test, grace):
    """Every cutoff's shortest label window, and every label that counts, ends before the next part's first cutoff."""
    definitions = with_split(
        cutoff_every_days=step, warm_up_days=warm_up, validation_fraction=validation, test_fraction=test
    ).model_copy(update={"churn": DEFINITIONS.churn.model_copy(update={"grace_days": grace})})
    end = START + dt.timedelta(days=days - 1)
    try:
        split = split_by_time(START, end, definitions)
    except TooLittleDataError:
        assume(days < warm_up + 3 * (90 + grace) + 3 * step)
        return
    shortest = dt.timedelta(days=definitions.horizons_days[0] + grace)
    for part, following in (
        (split.train, split.validation),
        (split.validation, split.test),
        (split.refit, split.test),
    ):
        assert part.known_by == following.cutoffs[0]
        assert part.cutoffs[-1] + shortest <= following.cutoffs[0]
        assert not set(part.cutoffs) & set(following.cutoffs)
    assert split.test.known_by == end + dt.timedelta(days=1)
    assert split.test.cutoffs[-1] + shortest <= split.test.known_by
    assert split.train.cutoffs[0] >= START + dt.timedelta(days=warm_up)
    longest = dt.timedelta(days=definitions.horizons_days[-1] + grace)
    for part in (split.train, split.validation, split.test):
        assert part.cutoffs[0] + longest <= part.known_by


def test_the_data_that_an_error_calls_enough_is_enough():
    """The number of days in the message is true: with that many, the split succeeds."""
    with pytest.raises(TooLittleDataError, match=r"465 days are enough") as caught:
        split_by_time(START, START + dt.timedelta(days=199), DEFINITIONS)
    assert "cutoff every 15 days" in str(caught.value)
    split_by_time(START, START + dt.timedelta(days=464), DEFINITIONS)


@given(
    days=st.integers(1, 400),
    step=st.integers(1, 200),
    warm_up=st.integers(0, 120),
    validation=st.floats(0.05, 0.6),
    test=st.floats(0.05, 0.39),
    grace=st.integers(0, 40),
    horizons=st.sampled_from([(7,), (30,), (7, 14, 21), (30, 60, 90), (30, 60, 90, 365)]),
)
@settings(deadline=None)
def test_whatever_the_steps_and_shares_the_days_called_enough_are_enough(
    days, step, warm_up, validation, test, grace, horizons
):
    """Also where cutoffs stand further apart than a label window is long, the number in the message is true."""
    definitions = with_split(
        cutoff_every_days=step, warm_up_days=warm_up, validation_fraction=validation, test_fraction=test
    ).model_copy(
        update={
            "churn": DEFINITIONS.churn.model_copy(update={"grace_days": grace}),
            "horizons_days": horizons,
        }
    )
    try:
        split_by_time(START, START + dt.timedelta(days=days - 1), definitions)
    except TooLittleDataError as error:
        enough = int(re.search(r"(\d+) days are enough", str(error))[1])
        assert enough > days
        split_by_time(START, START + dt.timedelta(days=enough - 1), definitions)


def test_dates_that_no_further_day_can_mend_are_said():
    """A validation date that leaves no training cutoff is not an affair of more data."""
    definitions = with_split(validation_from=dt.date(2022, 3, 1), test_from=dt.date(2022, 12, 1))
    with pytest.raises(TooLittleDataError, match="give other dates"):
        split_by_time(START, START + dt.timedelta(days=500), definitions)


def test_given_dates_begin_the_parts():
    """`test_from` and `validation_from` are kept, and a cutoff stands on the former."""
    definitions = with_split(test_from=dt.date(2023, 7, 1), validation_from=dt.date(2022, 12, 1))
    split = split_by_time(START, dt.date(2024, 1, 1), definitions)
    assert split.test.cutoffs[0] == dt.date(2023, 7, 1)
    assert split.validation.cutoffs[0] >= dt.date(2022, 12, 1)
    assert split.refit.cutoffs[-1] <= dt.date(2023, 5, 2)
    assert split.window.train[1] <= dt.date(2023, 3, 31)
    assert split.window.label_end == dt.date(2024, 1, 2)


def test_without_refit_the_final_boosters_see_the_training_part_only():
    """Switched off, the refit part is the training part."""
    split = split_by_time(START, dt.date(2024, 1, 1), with_split(refit_on_validation=False))
    assert split.refit == split.train


def test_a_test_date_past_the_data_is_refused():
    """A part without a fully labelled cutoff is an error and not a silent zero."""
    with pytest.raises(TooLittleDataError, match="0 test"):
        split_by_time(START, dt.date(2024, 1, 1), with_split(test_from=dt.date(2023, 12, 1)))
