"""Parity gaps: planted unfairness is found, chance is not called unfair, small slices are not judged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from tests.training.evaluation.test_slices import judged
from training.evaluation.fairness import parity_gaps, unmeasured
from training.limits import load_limits

REGIONS = np.array([f"r{number % 4}" for number in range(4000)], dtype=object)


def gaps(rows):
    """Return gaps by measure and slice."""
    found = parity_gaps(rows, load_limits(), samples=200, seed=1)
    return {(gap.measure, gap.slice): gap for gap in found}


def test_a_slice_whose_events_are_overstated_is_beyond_the_calibration_limit():
    """A quarter of the rows has no events though they were predicted: that gap, and its direction, is found."""
    rows = judged(4000, region=REGIONS)
    rows.label[REGIONS == "r2"] *= np.random.default_rng(0).random(1000) < 0.4
    gap = gaps(rows)["calibration", "r2"]
    assert gap.verdict == "beyond"
    assert gap.refuses
    assert gap.value > 0.05
    assert gap.low <= gap.value <= gap.high


def test_a_slice_that_is_flagged_less_often_is_beyond_the_four_fifths_rule():
    """Halving the probabilities of one region halves its share of flagged accounts, and its recall."""
    rows = judged(4000, region=REGIONS)
    halved = np.where(REGIONS == "r1", rows.probability / 3, rows.probability)
    found = gaps(dataclasses.replace(rows, probability=halved))
    assert found["selection", "r1"].verdict == "beyond"
    assert found["selection", "r1"].value < 0.5
    assert found["equal_opportunity", "r1"].verdict == "beyond"
    assert found["equal_opportunity", "r1"].value < 0


def test_columns_that_may_differ_do_not_refuse():
    """A gap in selection by plan is found and shown, and refuses nothing."""
    rows = judged(4000, plan=REGIONS)
    gap = gaps(dataclasses.replace(rows, probability=np.where(REGIONS == "r1", 0.01, rows.probability)))
    assert gap["selection", "r1"].verdict == "beyond"
    assert not gap["selection", "r1"].refuses


@pytest.mark.parametrize("seed", range(5))
def test_chance_alone_is_never_beyond_a_limit(seed):
    """Where all slices are alike, none of many gaps is called unfair."""
    found = gaps(judged(1200, seed=seed, region=np.random.default_rng(seed).integers(0, 9, 1200).astype(str)))
    assert "beyond" not in {gap.verdict for gap in found.values()}


def test_where_nobody_is_flagged_all_are_treated_alike():
    """Whatever the sizes of slices, the ratio of shares is 1 and recall does not differ; calibration is judged."""
    uneven = np.where(np.arange(4000) < 3000, "large", "small").astype(object)
    rows = judged(4000, region=uneven)
    found = gaps(dataclasses.replace(rows, threshold=1.0))
    for measure, alike in (("selection", 1.0), ("equal_opportunity", 0.0)):
        gap = found[measure, "small"]
        assert (gap.value, gap.low, gap.high, gap.verdict) == (alike, alike, alike, "within")
    assert found["calibration", "small"].low < found["calibration", "small"].high


def test_a_small_slice_is_not_judged():
    """Twenty rows that were never flagged are reported as too few, with a wide interval."""
    regions = np.array(["big"] * 1180 + ["tiny"] * 20, dtype=object)
    rows = judged(1200, region=regions)
    found = gaps(dataclasses.replace(rows, probability=np.where(regions == "tiny", 0.01, rows.probability)))
    assert found["selection", "tiny"].verdict == "too_few"
    assert found["selection", "tiny"].high / found["selection", "tiny"].low > 10


def test_intervals_hold_over_all_measures_slices_and_heads():
    """Four slices have twelve gaps a head, so an interval of two heads is one of 24, by the normal's quantile."""
    rows = judged(4000, region=REGIONS)
    widths = []
    for heads in (1, 2):
        found = parity_gaps(rows, load_limits(), samples=200, seed=1, heads=heads)
        gap = next(gap for gap in found if (gap.measure, gap.slice) == ("calibration", "r1"))
        widths.append(gap.high - gap.low)
        assert len(found) == 12
    ratio = norm.ppf(1 - 0.05 / (2 * 24)) / norm.ppf(1 - 0.05 / (2 * 12))
    assert widths[1] / widths[0] == pytest.approx(ratio)
    spread = widths[0] / (2 * norm.ppf(1 - 0.05 / (2 * 12)))
    assert 0.005 < spread < 0.05


def test_columns_that_refuse_but_cant_be_judged_are_named():
    """One that no feature tells, one that is never known, and one of tiny slices; one known value has no gap."""
    regions = np.array(["big"] * 1190 + ["tiny"] * 10, dtype=object)
    alike = np.array(["only"] * 1200, dtype=object)
    rows = judged(
        1200, region=regions, segment=np.full(1200, "unknown", dtype=object), plan=alike, size=REGIONS[:1200]
    )
    found = unmeasured(rows.columns, parity_gaps(rows, load_limits(), samples=50, seed=1), load_limits())
    assert [one.column for one in found] == ["region", "segment", "tenure"]
    region, segment, tenure = found
    assert "fewer than 50 accounts" in region.why
    assert region.measures == ("selection", "equal_opportunity", "calibration")
    assert "not known" in segment.why
    assert segment.measures == ("equal_opportunity", "calibration")
    assert tenure.sentence == "tenure (calibration): no feature tells it"


def test_a_measure_that_too_few_events_leave_open_is_named():
    """Slices with accounts enough for selection but few events are not measured for recall, where that refuses."""
    rows = judged(1200, region=REGIONS[:1200], plan=REGIONS[:1200])
    few = dataclasses.replace(rows, label=np.where(np.arange(1200) < 12, 1.0, 0.0))
    few = dataclasses.replace(few, probability=np.full(1200, 0.002))
    limits = load_limits()
    found = parity_gaps(few, limits, samples=50, seed=1)
    assert {gap.verdict for gap in found if gap.measure == "selection"} != {"too_few"}
    (region, plan) = [
        one for one in unmeasured(few.columns, found, limits) if one.column in {"region", "plan"}
    ]
    assert region.measures == ("equal_opportunity", "calibration")
    assert "fewer than 10 events" in region.why
    assert plan.measures == ("calibration",)
    open_to = limits.fairness.refused_by.model_copy(update={"equal_opportunity": ("segment",)})
    rules = limits.model_copy(update={"fairness": limits.fairness.model_copy(update={"refused_by": open_to})})
    (region, *_) = unmeasured(few.columns, found, rules)
    assert region.measures == ("calibration",)


def test_a_column_with_one_value_has_no_gap():
    """There is nobody to compare with."""
    assert gaps(judged(100, region=np.array(["only"] * 100, dtype=object))) == {}
