"""Forms of calibration: each recovers what it is made for, and the simplest is preferred until one is surely better."""

from __future__ import annotations

import numpy as np
import pytest

from training.heads.calibration_choice import CalibrationRows, compare_forms
from training.heads.calibration_forms import fit_beta, fit_isotonic, fit_segmented


def sample(offsets, rows=12_000, seed=1):
    """Return margins, events whose log-odds are margin and the segment's offset, and segments."""
    rng = np.random.default_rng(seed)
    margin, code = rng.normal(-1.5, 1, rows), rng.integers(0, len(offsets), rows)
    event = (rng.random(rows) < 1 / (1 + np.exp(-(margin + np.array(offsets)[code])))).astype(float)
    return margin, event, code


def test_forms_rise_with_the_margin_and_fit_plain_data():
    """On calibrated margins beta and isotonic stay near the identity and never fall."""
    margin, event, _ = sample((0.0,))
    grid = np.linspace(-3, 0, 50)
    for form in (fit_beta(margin, event), fit_isotonic(margin, event)):
        found = form.apply(grid)
        assert (np.diff(found) >= 0).all()
        assert np.abs(found - grid).mean() < 0.3


def test_segment_offsets_are_found_and_unknown_segments_get_none():
    """Two segments a log-odd apart come out nearly so; code -1 is plain Platt; too few events give no offset."""
    margin, event, code = sample((-0.5, 0.5))
    form = fit_segmented(margin, event, code, 3)
    assert form.offsets[1] - form.offsets[0] == pytest.approx(1.0, abs=0.15)
    assert form.offsets[2] == 0.0
    assert form.apply(np.zeros(1), np.array([-1]))[0] == form.intercept


@pytest.mark.parametrize(("offsets", "preferred"), [((0.0, 0.0), "platt"), ((-1.0, 1.0), "platt_by_segment")])
def test_platt_is_preferred_until_segments_surely_differ(offsets, preferred):
    """Where segments are alike Platt stays; where they lie far apart their offsets win beyond noise."""
    margin, event, code = sample(offsets, rows=3000)
    account = np.array([f"a{number}" for number in range(3000)], dtype=object)
    assert compare_forms(CalibrationRows(account, margin, event, code, 2), seed=1)["preferred"] == preferred
