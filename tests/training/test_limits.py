"""Limits: every value is in the shipped file and none in code; another file is read over it."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import BaseModel

from tests.training.evaluation.test_slices import judged
from training.errors import LimitsError
from training.evaluation.fairness import parity_gaps
from training.limits import LIMITS_FILE, Limits, changed_limits, load_limits


def forms(form):
    """Return a form of limits and all that it is made of."""
    inner = [field.annotation for field in form.model_fields.values()]
    found = [form]
    for one in inner:
        found += forms(one) if isinstance(one, type) and issubclass(one, BaseModel) else []
    return found


def test_code_knows_no_limit_by_itself():
    """Every field of every form must come from a file."""
    assert len(forms(Limits)) > 8
    for form in forms(Limits):
        assert all(field.is_required() for field in form.model_fields.values()), form


def test_the_shipped_file_is_whole_and_changes_nothing():
    """It can be read, and what is as shipped is not told as changed."""
    assert changed_limits(load_limits(LIMITS_FILE)) == ()


def test_another_file_is_read_over_the_shipped_one(tmp_path):
    """What it names is changed and told, the rest is as shipped, and the hash is that of all of it."""
    file = tmp_path / "limits.yaml"
    file.write_text("samples: 40\nfairness: {refused_by: {selection: []}}\n", encoding="utf-8")
    found, shipped = load_limits(file), load_limits()
    assert changed_limits(found) == ("samples 300 -> 40", "fairness.refused_by.selection ['region'] -> []")
    assert found.fairness.refused_by.calibration == shipped.fairness.refused_by.calibration
    assert found.speed == shipped.speed
    assert found.hash != shipped.hash
    file.write_text("", encoding="utf-8")
    assert load_limits(file).hash == shipped.hash


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("calibration: {slope: [1.2, 1.4]}", r"calibration\.slope"),
        ("speed: {max_ratoi: 2}", "max_ratoi"),
        ("speed: 3", "speed"),
        ("- 3", "it holds list"),
        ("a: [", "limits.yaml"),
    ],
)
def test_a_wrong_file_is_refused_with_the_name_of_the_field(tmp_path, text, named):
    """A range without 1, an unknown name, a value for a group, a list, and what is no YAML."""
    wrong = tmp_path / "limits.yaml"
    wrong.write_text(text, encoding="utf-8")
    with pytest.raises(LimitsError, match=named):
        load_limits(wrong)


def test_a_name_of_an_earlier_release_is_refused_with_todays_name(tmp_path):
    """The limit whose meaning changed says what it is called now, and which limit is what it once was."""
    old = tmp_path / "limits.yaml"
    old.write_text("speed: {max_outlook_ratio: 25}\n", encoding="utf-8")
    told = (
        r"limits\.yaml: speed\.max_outlook_ratio is now called speed\.max_outlook_over_champion.*_over_core"
    )
    with pytest.raises(LimitsError, match=told):
        load_limits(old)
    old.write_text("speed: {max_outlook_over_champion: 3}\n", encoding="utf-8")
    assert changed_limits(load_limits(old)) == ("speed.max_outlook_over_champion 2.0 -> 3.0",)


def test_the_shipped_limits_refuse_gaps_of_regions_and_segments():
    """Being flagged less often refuses by region, being missed by region and segment, being wrong by every column."""
    halves = np.array([f"s{number % 2}" for number in range(400)], dtype=object)
    columns = dict.fromkeys(("region", "segment", "size", "tenure", "plan"), halves)
    gaps = parity_gaps(judged(400, **columns), load_limits(), samples=20, seed=1)
    refusing = {
        measure: {gap.column for gap in gaps if gap.measure == measure and gap.refuses}
        for measure in ("selection", "equal_opportunity", "calibration")
    }
    assert refusing == {
        "selection": {"region"},
        "equal_opportunity": {"region", "segment"},
        "calibration": set(columns),
    }
