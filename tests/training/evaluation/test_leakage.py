"""Leaks are found as numbers, categories, codes and missing values; honest features are not accused."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.baselines import Column
from training.evaluation.leakage import find_leaks
from training.limits import load_limits

LIMITS = load_limits().leakage
ROWS = 2000
LABEL = (np.random.default_rng(0).random(ROWS) < 0.1).astype(float)
NOISE = np.random.default_rng(1).normal(size=ROWS)
CODES = np.random.default_rng(2).integers(0, 4, ROWS).astype(float)
PART = LABEL * (np.random.default_rng(3).random(ROWS) < 0.5)


@pytest.mark.parametrize(
    ("column", "categories"),
    [
        pytest.param(LABEL + 0.1 * NOISE, 0, id="a number that knows"),
        pytest.param(np.where(LABEL > 0, 0.0, NOISE + 9), 0, id="a number that is low for events"),
        pytest.param(np.where(LABEL > 0, np.nan, NOISE), 0, id="emptied for events"),
        pytest.param(np.where(LABEL > 0, NOISE, np.nan), 0, id="filled for events only"),
        pytest.param(np.where(LABEL > 0, 2.0, np.where(CODES == 2, 1.0, CODES)), 4, id="a category"),
        pytest.param(
            np.where(LABEL > 0, 2.0, np.where(CODES == 2, 1.0, CODES)), 0, id="a code in the middle"
        ),
        pytest.param(np.where(PART > 0, np.nan, NOISE), 0, id="emptied for half of the events"),
        pytest.param(
            np.where(PART > 0, 3.0, np.minimum(CODES, 2.0)), 4, id="a category of half of the events"
        ),
    ],
)
def test_a_leak_is_found_and_named(column, categories):
    """Whatever its form, the column is named, and its honest neighbour is not."""
    matrix = np.column_stack([NOISE, column])
    search = find_leaks(matrix, LABEL, [Column("honest"), Column("leak", categories)], LIMITS)
    assert [leak.column for leak in search.leaks] == ["leak"]


def test_good_honest_features_are_not_accused():
    """A strong number, a category with a high rate and a column that is often missing are no leaks."""
    strong = LABEL * 1.5 + NOISE
    category = np.where((LABEL > 0) & (CODES < 2), 1.0, CODES)
    matrix = np.column_stack([strong, category, np.where(CODES > 0, np.nan, NOISE)])
    search = find_leaks(matrix, LABEL, [Column("strong"), Column("plan", 4), Column("often_missing")], LIMITS)
    assert search.leaks == ()
    assert search.auc[0] > 0.8


def test_a_handful_of_events_accuses_nobody():
    """With five events some feature ranks them perfectly by chance."""
    label = np.zeros(ROWS)
    label[:5] = 1
    assert find_leaks(label[:, None] + 0.0, label, [Column("lucky")], LIMITS).leaks == ()
