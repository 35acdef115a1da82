"""The intervention window, case by case."""

from __future__ import annotations

import math

import pytest

from serving.scoring.window import intervention_window

NAN = math.nan


@pytest.mark.parametrize(
    ("first", "last", "declining", "term", "window"),
    [
        (0.50, 0.60, NAN, NAN, "emergency"),
        (0.10, 0.25, NAN, 14, "emergency"),
        (0.49, 0.60, NAN, NAN, "reactive"),
        (0.25, 0.25, NAN, NAN, "reactive"),
        (0.10, 0.30, 0.5, 60, "reactive"),
        (0.10, 0.30, 0.5, 61, "timely"),
        (0.10, 0.30, 0.4, 60, "timely"),
        (0.10, 0.25, NAN, NAN, "timely"),
        (0.10, 0.24, 0.5, 30, "timely"),
        (0.10, 0.24, 0.5, 90, "early"),
        (0.10, 0.24, 0.4, 5, "early"),
        (0.10, 0.30, NAN, -3, "timely"),
        (0.00, 0.00, NAN, NAN, "early"),
    ],
)
def test_the_first_line_of_the_table_that_holds_counts(first, last, declining, term, window):
    """Each limit belongs to the more urgent window; what is not known never makes it more urgent."""
    assert intervention_window(first, last, declining=declining, days_to_term_end=term) == window


@pytest.mark.parametrize(("first", "last", "declining"), [(0.3, 0.2, NAN), (-0.1, 0.2, NAN), (0.1, 1.2, NAN)])
def test_impossible_probabilities_are_refused(first, last, declining):
    """Probabilities outside 0 to 1, or falling along horizons, are an error."""
    with pytest.raises(ValueError, match="should rise"):
        intervention_window(first, last, declining=declining)


def test_an_impossible_chance_of_decline_is_refused():
    """A chance of decline above 1 is an error."""
    with pytest.raises(ValueError, match="chance of decline"):
        intervention_window(0.1, 0.2, declining=1.5)
