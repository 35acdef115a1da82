"""Forms of calibration: each recovers what it is made for, and the simplest is preferred until one is surely better."""

from __future__ import annotations

import numpy as np
import pytest

from training.heads.calibration import fit_platt
from training.heads.calibration_choice import CalibrationRows, choose_calibration
from training.heads.calibration_forms import fit_beta, fit_isotonic, fit_segmented


def sample(offsets, rows=12_000, seed=1):
    """Return margins, events whose log-odds are margin and the segment's offset, and segments."""
    rng = np.random.default_rng(seed)
    margin, code = rng.normal(-1.5, 1, rows), rng.integers(0, len(offsets), rows)
    event = (rng.random(rows) < 1 / (1 + np.exp(-(margin + np.array(offsets)[code])))).astype(float)
    return margin, event, code


def accounts(count):
    """Return names of accounts."""
    return np.array([f"a{number}" for number in range(count)], dtype=object)


def test_forms_rise_with_the_margin_and_fit_plain_data():
    """On calibrated margins beta and isotonic stay near the identity and never fall."""
    margin, event, _ = sample((0.0,))
    grid = np.linspace(-3, 0, 50)
    for form in (fit_beta(margin, event), fit_isotonic(margin, event)):
        found = form.log_odds(grid)
        assert (np.diff(found) >= 0).all()
        assert np.abs(found - grid).mean() < 0.3


def test_segment_offsets_are_found_and_unknown_segments_get_none():
    """Two segments a log-odd apart come out nearly so; code -1 is plain Platt; too few events give no offset."""
    margin, event, code = sample((-0.5, 0.5))
    form = fit_segmented(margin, event, code, 3)
    assert form.offsets[1] - form.offsets[0] == pytest.approx(1.0, abs=0.15)
    assert form.offsets[2] == 0.0
    assert form.log_odds(np.zeros(2), np.array([-1, np.nan])).tolist() == [form.intercept] * 2


@pytest.mark.parametrize(("offsets", "preferred"), [((0.0, 0.0), "platt"), ((-1.0, 1.0), "platt_by_segment")])
def test_platt_is_preferred_until_segments_surely_differ(offsets, preferred):
    """Where segments are alike Platt stays; where they lie far apart their offsets win beyond noise."""
    margin, event, code = sample(offsets, rows=3000)
    calibration, told = choose_calibration(CalibrationRows(accounts(3000), margin, event, code, 2), seed=1)
    assert told["preferred"] == told["shipped"] == preferred
    assert bool(calibration.offsets) == (preferred == "platt_by_segment")
    assert told["forgone"] is None


def test_a_bend_is_told_and_not_shipped():
    """Where events saturate so that isotonic surely fits better, Platt ships and says what that costs."""
    rng = np.random.default_rng(4)
    margin = rng.normal(-1.0, 2.0, 20_000)
    event = (rng.random(20_000) < np.where(margin > -1.0, 0.4, 0.02)).astype(float)
    calibration, told = choose_calibration(CalibrationRows(accounts(20_000), margin, event), seed=1)
    assert told["preferred"] in {"beta", "isotonic"}
    assert told["shipped"] == "platt"
    assert calibration == fit_platt(margin, event)
    assert told["forgone"]["low"] > 0
    assert told["forgone"] == told["forms"][told["preferred"]]["gain"]


def test_too_few_accounts_to_compare_leave_platt():
    """With four accounts there is nothing to cross-fit, and the report says only how many events there were."""
    margin, event, code = sample((0.0, 0.0), rows=4)
    calibration, told = choose_calibration(CalibrationRows(accounts(4), margin, event, code, 2), seed=1)
    assert calibration == fit_platt(margin, event)
    assert told["forms"] == {}
    assert told["shipped"] == "platt"
