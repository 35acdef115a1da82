"""The interval of the win-back probability: it holds a known law of returns, and stands few returns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.training.returning import DEFINITIONS, NAMES, SPLIT, returning_rows, trained, true_chance
from training.dataset import Parts
from training.evaluation.coverage import coverage_of_truth
from training.heads.train import train_head
from training.labels_winback import WINBACK
from training.stages import Stages
from training.uncertainty.fit import MOST_SCALE, fit_halves, fit_uncertainty

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from training.heads.hazard import HazardHead
    from training.heads.train import TrainedHead
    from training.uncertainty.intervals import Uncertainty
    from training.winback_rows import WinbackRows


def test_intervals_hold_the_known_law(
    learnt_surely: tuple[WinbackRows, Uncertainty, dict[str, Any]],
) -> None:
    """90 % intervals hold the law's chance of four accounts in five, most at each horizon, and are of use.

    Log-odds reach neither 0 nor all that lies near it: accounts whose chance is under one in a thousand are left out.
    """
    shares = []
    rows, uncertainty, _ = learnt_surely
    test = rows.part(SPLIT.test, DEFINITIONS)
    low, high = uncertainty.interval(test.matrix)
    for at, horizon in enumerate(uncertainty.head.horizons_days):
        truth = true_chance(test.matrix[:, 0], horizon)
        possible = truth > 0.001
        assert possible.mean() > 0.7
        shares.append(coverage_of_truth(truth[possible], low[possible, at], high[possible, at]))
        assert (high - low)[:, at].mean() < 1.6 * truth.mean()
    assert min(shares) > 0.65
    assert np.mean(shares) >= 0.8


def test_coverage_is_told_by_horizon_as_of_other_heads(
    learnt_surely: tuple[WinbackRows, Uncertainty, dict[str, Any]],
) -> None:
    """Groups of test rows, their residuals and the level stand in the metrics, which are JSON without NaN."""
    _, uncertainty, told = learnt_surely
    found = json.loads(json.dumps(told["uncertainty"], allow_nan=False))
    assert (found["level"], len(found["scale"])) == (0.9, 3)
    assert set(found["horizons"]) == {f"{days}d" for days in uncertainty.head.horizons_days}
    for one in found["horizons"].values():
        assert one["with_sampling"] >= 0.7
        assert one["residuals"]["mean_square"] < one["residuals"]["most"]


def test_the_ends_enclose_the_chance_of_any_row(
    learnt_surely: tuple[WinbackRows, Uncertainty, dict[str, Any]],
) -> None:
    """Also far out and where values are missing; both ends rise with the horizon."""
    _, uncertainty, _ = learnt_surely
    rng = np.random.default_rng(1)
    matrix = rng.uniform(-1_000, 1_000, (5_000, 2))
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    low, high = uncertainty.interval(matrix)
    chance = uncertainty.head.probabilities(matrix)
    assert ((low < chance) & (chance < high)).all()
    assert (np.diff(low, axis=1) >= 0).all()
    assert (np.diff(high, axis=1) >= 0).all()


def test_an_interval_reads_no_more_than_its_head(
    learnt_surely: tuple[WinbackRows, Uncertainty, dict[str, Any]],
) -> None:
    """Halves of a head that reads the days alone read nothing else, nor do the ends."""
    rows, _, _ = learnt_surely
    parts = parts_of(rows, unread=[1])
    head = small_head(parts)
    halves = fit_halves(head, parts, definitions=DEFINITIONS, feature_names=NAMES, seed=1)
    for half in (halves.first, halves.second):
        assert all(not booster.feature_importance()[1] for booster in half.boosters)
        assert any(booster.feature_importance()[0] for booster in half.boosters)
    sure = fit_uncertainty(
        head, parts, definitions=DEFINITIONS, feature_names=NAMES, seed=1, halves=[halves, halves]
    )
    whole = rows.part(SPLIT.test, DEFINITIONS).matrix
    for ours, theirs in zip(sure.interval(whole), sure.interval(parts.test.matrix), strict=True):
        assert np.array_equal(ours, theirs)


def test_few_returns_make_wide_intervals_and_no_error() -> None:
    """With about as few returns as are learnt from, ends are numbers, wider than those of many returns."""
    rows = returning_rows(330, seed=3)
    head, uncertainty, told = trained(rows)
    assert head is not None
    assert uncertainty is not None
    assert 20 <= told["returns_seen"] < 50
    json.dumps(told["uncertainty"], allow_nan=False)
    test = rows.part(SPLIT.test, DEFINITIONS)
    low, high = uncertainty.interval(test.matrix)
    assert np.isfinite(low).all()
    assert np.isfinite(high).all()
    assert (high > low).all()
    assert (high - low)[:, -1].mean() > 0.03
    found = np.log(high / (1 - high)) - np.log(low / (1 - low))
    assert found.min() > 2 * uncertainty.z * 0.4


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_halves_without_an_event_widen_the_interval(
    learnt_surely: tuple[WinbackRows, Uncertainty, dict[str, Any]], kept: int
) -> None:
    """Where training holds *kept* returning accounts, a half has no event: the widest scale, and no NaN."""
    rows, _, _ = learnt_surely
    parts = parts_of(rows)
    head = small_head(parts)
    train = parts.train
    back = train.labels.happened(WINBACK)
    some = np.unique(train.labels.account_id[back].astype(str))[:kept].tolist()
    chosen = ~back | np.isin(train.labels.account_id.astype(str), some)
    fewer = Parts(
        train=type(train)(train.matrix[chosen], train.labels.select(chosen)),
        validation=parts.validation,
        test=parts.test,
        refit=parts.refit,
    )
    seeds = [seed for seed in range(20) if one_sided(fewer, some, seed)][:2]
    assert seeds
    fitting: dict[str, Any] = {"definitions": DEFINITIONS, "feature_names": NAMES}
    halves = [fit_halves(head, fewer, seed=seed, **fitting) for seed in seeds]
    assert not any(any(pair.tells) for pair in halves)
    sure = fit_uncertainty(head, fewer, seed=1, halves=halves, **fitting)
    assert sure.scale == (MOST_SCALE,) * 3
    low, high = sure.interval(parts.test.matrix)
    assert np.isfinite([low, high]).all()
    assert (high > low).all()
    usual = fit_uncertainty(head, parts, seed=1, **fitting).interval(parts.test.matrix)
    assert ((high - low).mean(axis=0) > (usual[1] - usual[0]).mean(axis=0)).all()


def test_a_single_account_has_no_second_half(
    learnt_surely: tuple[WinbackRows, Uncertainty, dict[str, Any]],
) -> None:
    """Then one half has no rows, and the interval is as wide as may be instead of an error of LightGBM."""
    rows, _, _ = learnt_surely
    parts = parts_of(rows)
    head = small_head(parts)
    labels = parts.train.labels
    one = labels.account_id == labels.account_id[labels.happened(WINBACK)][0]
    alone = Parts(
        train=type(parts.train)(parts.train.matrix[one], labels.select(one)),
        validation=parts.validation,
        test=parts.test,
        refit=parts.refit,
    )
    sure = fit_uncertainty(head, alone, definitions=DEFINITIONS, feature_names=NAMES, seed=1)
    assert sure.scale == (MOST_SCALE,) * 3
    low, high = sure.interval(parts.test.matrix)
    assert np.isfinite([low, high]).all()


def test_an_interrupted_training_goes_on_with_the_same_interval(
    learnt_surely: tuple[WinbackRows, Uncertainty, dict[str, Any]], tmp_path: Path
) -> None:
    """The next attempt reads head and interval from the kept stage: the same bits, and one head behind both."""
    rows, uncertainty, told = learnt_surely
    made = []

    def make() -> tuple[HazardHead, Uncertainty, dict[str, Any]]:
        made.append(1)
        return uncertainty.head, uncertainty, told

    matrix = rows.part(SPLIT.test, DEFINITIONS).matrix
    for _ in range(2):
        stages = Stages(tmp_path)
        stages.begin("key")
        head, again, told_again = stages.run("win-back", make)
        assert again.head is head
        assert told_again == told
        for ours, theirs in zip(uncertainty.interval(matrix), again.interval(matrix), strict=True):
            assert np.array_equal(ours, theirs)
        stages._kept._lock.close()  # type: ignore[union-attr]
    assert made == [1]


def parts_of(rows: WinbackRows, unread: tuple[int, ...] | list[int] = ()) -> Parts:
    """Return all parts of *rows* as a head sees them that does not read the columns *unread*."""
    train, validation, test, refit = (
        rows.part(part, DEFINITIONS).part_rows(unread)
        for part in (SPLIT.train, SPLIT.validation, SPLIT.test, SPLIT.refit)
    )
    return Parts(train=train, validation=validation, test=test, refit=refit)


def small_head(parts: Parts) -> TrainedHead:
    """Return a win-back head of *parts* that was not fitted again on validation rows."""
    return train_head(
        WINBACK,
        parts.train.head_rows(WINBACK),
        parts.validation.head_rows(WINBACK),
        None,
        definitions=DEFINITIONS,
        feature_names=NAMES,
        seed=7,
        num_threads=1,
        progress=lambda _: None,
    )


def one_sided(parts: Parts, accounts: list[str], seed: int) -> bool:
    """Return whether halves of this *seed* have all of *accounts* on one side."""
    known = np.unique(parts.train.labels.account_id.astype(str))
    order = np.random.default_rng(seed).permutation(len(known))
    sides = (order % 2 == 0)[np.searchsorted(known, np.array(accounts, dtype=known.dtype))]
    return len(set(sides.tolist())) < 2
