"""Fits the uncertainty of a trained head: a leaf bootstrap for its pattern, split halves for its width.

Compared before it was chosen, on the synthetic world at equal mean width: refitted leaves held the probability that
features can tell as often as twenty whole bootstrap boosters did, at about a tenth of their time. Left alone they are
about half as wide, since their splits never vary. So the width comes from two heads of the same rounds on disjoint
halves of the accounts: on validation, a quarter of their squared difference estimates the variance at all the data
(a half of it that at half the data), and is regressed on the leaves' own variance and a constant, neither negative.

Where events are few, the difference of one pair of halves is mostly luck (a single draw, squared, may come to nothing),
so that several pairs can be averaged. A pair of which a half saw no event says nothing of the width; where most pairs
say nothing, the interval is as wide as may be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm

from training.heads import boosting
from training.uncertainty.intervals import Uncertainty
from training.uncertainty.leaves import TreePlan, account_counts, reached_leaves, refitted_leaves, tree_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.dataset import PartRows, Parts
    from training.definitions import Definitions
    from training.heads.hazard import HazardHead
    from training.heads.train import HeadRows, TrainedHead

DRAWS = 12
RANK = 6
CONFIDENCE = 0.9
MOST_ROWS = 8_000
MOST_SCALE = 6.0


def fit_uncertainty(
    trained: TrainedHead,
    parts: Parts,
    *,
    definitions: Definitions,
    feature_names: Sequence[str],
    seed: int,
    num_threads: int = 1,
    draws: int = DRAWS,
    rank: int = RANK,
    confidence: float = CONFIDENCE,
    halves: Sequence[HalfHeads] | None = None,
    allowance: float = 1.0,
) -> Uncertainty:
    """Return how sure `trained.head` is of its probabilities.

    An interval whose width most pairs of halves can't tell, as a half saw no event, gets the largest scale,
    `MOST_SCALE`, and in its floor the variance of the level of a rate, 1 over its training events (at least half an
    event): rather too wide than too narrow. Of an interval without validation rows the same holds.

    Args:
        trained: The head, and the same before its refit.
        parts: Rows of every part; the test part is not read.
        definitions: Boosting stages.
        feature_names: Columns of the matrices.
        seed: Seed of resampling and of the halves.
        num_threads: Threads of LightGBM.
        draws: Resamples of accounts.
        rank: Numbers kept a leaf.
        confidence: Nominal coverage of the interval.
        halves: From `fit_halves` with the same arguments but the seed, one pair a seed; one is fitted here if None.
        allowance: Factor on all standard errors, for what no resample shows.
    """
    head = trained.head
    refitted = head is not trained.on_train
    fitted = parts.refit if refitted else parts.train
    plans = _plans(trained, head, definitions)
    factors, explained = _leaf_factors(head, plans, fitted, draws=draws, rank=rank, seed=seed)
    before = factors
    if refitted:
        old = _plans(trained, trained.on_train, definitions)
        before, _ = _leaf_factors(trained.on_train, old, parts.train, draws=draws, rank=rank, seed=seed)
    plain = Uncertainty(
        head=trained.on_train,
        plans=_plans(trained, trained.on_train, definitions),
        factors=before,
        scale=(1.0,) * len(head.boosters),
        floor=(0.0,) * len(head.boosters),
        z=1.0,
        explained=explained,
    )
    if halves is None:
        halves = [
            fit_halves(
                trained,
                parts,
                definitions=definitions,
                feature_names=feature_names,
                seed=seed,
                num_threads=num_threads,
            )
        ]
    splits = [pair.variances(parts.validation.matrix) for pair in halves]
    spread = plain.standard_errors(parts.validation.matrix)
    drift = _floors(trained.on_train, parts.validation)
    learnt = parts.train.head_rows(head.name)
    scale, floor = [], []
    for interval in range(len(head.boosters)):
        telling = [
            split[:, interval] for pair, split in zip(halves, splits, strict=True) if pair.tells[interval]
        ]
        if 2 * len(telling) >= max(len(halves), 1) and len(spread):
            columns = np.column_stack([spread[:, interval] ** 2, np.ones(len(spread))])
            (widening, constant), _ = nnls(columns, np.mean(telling, axis=0))
        else:
            widening, constant = MOST_SCALE**2, 1.0 / max(learnt.periods(interval).events, 0.5)
        scale.append(float(np.sqrt(np.clip(widening, 1.0, MOST_SCALE**2))))
        floor.append(float(np.hypot(drift[interval], np.sqrt(constant))))
    return Uncertainty(
        head=head,
        plans=plans,
        factors=factors,
        scale=tuple(allowance * one for one in scale),
        floor=tuple(allowance * one for one in floor),
        z=float(norm.ppf(0.5 + confidence / 2)),
        explained=explained,
    )


def _plans(trained: TrainedHead, head: HazardHead, definitions: Definitions) -> tuple[TreePlan, ...]:
    shared, own = trained.choice["shared_rounds"], trained.choice["interval_rounds"]
    stages = definitions.model.stages
    return tuple(
        tree_plan(booster, shared, mine, stages) for booster, mine in zip(head.boosters, own, strict=True)
    )


def _leaf_factors(
    head: HazardHead, plans: tuple[TreePlan, ...], part: PartRows, *, draws: int, rank: int, seed: int
) -> tuple[tuple[NDArray[np.float64], ...], float]:
    """Return factors per interval, and the share of variance that they hold."""
    chosen = _some_accounts(part.labels.account_id, seed)
    some = part if chosen.all() else type(part)(part.matrix[chosen], part.labels.select(chosen))
    rows = some.head_rows(head.name)
    counts = account_counts(some.labels.account_id, draws, seed)
    values = refitted_leaves(head, plans, rows, counts)
    # Variance falls with the number of accounts, of which some may have been left out to save time.
    shrink = np.sqrt(len(some.matrix) / len(part.matrix) / (draws - 1))
    deviations = [(each - each.mean(axis=1, keepdims=True)) * shrink for each in values]
    margins = []
    for booster, plan, deviation in zip(head.boosters, plans, deviations, strict=True):
        reached = reached_leaves(booster, plan, rows.matrix)
        total = np.zeros((len(rows.matrix), draws))
        for tree in range(reached.shape[1]):
            total += deviation[reached[:, tree]]
        margins.append(total)
    stacked = np.concatenate(margins)
    power, axes = np.linalg.eigh(stacked.T @ stacked)
    turned = axes[:, ::-1][:, :rank]
    # One rotation for all intervals, so that trees which intervals share have equal factors in each.
    explained = float(power[::-1][:rank].sum() / max(float(power.sum()), 1e-300))
    by_booster: dict[int, NDArray[np.float64]] = {}
    for booster, deviation in zip(head.boosters, deviations, strict=True):
        by_booster.setdefault(id(booster), deviation @ turned)
    return tuple(by_booster[id(booster)] for booster in head.boosters), explained


def _some_accounts(account_id: NDArray[np.object_], seed: int) -> NDArray[np.bool_]:
    if len(account_id) <= MOST_ROWS:
        return np.ones(len(account_id), dtype=np.bool_)
    known, of_row = np.unique(account_id.astype(str), return_inverse=True)
    share = MOST_ROWS / len(account_id)
    return np.asarray((np.random.default_rng(seed).random(len(known)) < share)[of_row], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class HalfHeads:
    """Two heads of the same rounds and calibrations, fitted to disjoint halves of the training accounts.

    Attributes:
        accounts: Accounts of the first half.
        first: Fitted to them.
        second: Fitted to the others.
        tells: Per interval, whether both halves had an event to grow its trees by: one of its own if it has trees of
            its own, else one of any interval. A half without rows is not grown and keeps the trees of all accounts.
    """

    accounts: frozenset[str]
    first: HazardHead
    second: HazardHead
    tells: tuple[bool, ...]

    def variances(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a quarter of the squared difference of both heads' log-odds, shape (n, k), for n rows of *matrix*."""
        if not len(matrix):
            return np.zeros((0, len(self.tells)))
        return np.asarray((self.first.log_odds(matrix) - self.second.log_odds(matrix)) ** 2 / 4.0)

    def unseen(self, account_id: NDArray[np.object_], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities of each row by the head that its account was not in, shape (n, k).

        Args:
            account_id: Shape (n,); an account in neither half is asked of the first head.
            matrix: Shape (n, f).
        """
        in_first = np.array([str(one) in self.accounts for one in account_id], dtype=np.bool_)
        found = self.first.probabilities(matrix)
        if in_first.any():
            found[in_first] = self.second.probabilities(matrix[in_first])
        return found


def fit_halves(
    trained: TrainedHead,
    parts: Parts,
    *,
    definitions: Definitions,
    feature_names: Sequence[str],
    seed: int,
    num_threads: int = 1,
) -> HalfHeads:
    """Return `trained.on_train` fitted anew to two halves of the training accounts.

    Args:
        trained: Says the rounds and calibrations.
        parts: Its training part is read.
        definitions: Boosting stages.
        feature_names: Columns of the matrices.
        seed: Seed of the halves and of LightGBM.
        num_threads: Threads of LightGBM.
    """
    known, of_row = np.unique(parts.train.labels.account_id.astype(str), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(known))
    first = (order % 2 == 0)[of_row]
    heads, tells = [], np.ones(len(trained.head.boosters), dtype=np.bool_)
    for half in (first, ~first):
        part = type(parts.train)(parts.train.matrix[half], parts.train.labels.select(half))
        rows = part.head_rows(trained.head.name)
        boosters = _grown_alike(trained, rows, definitions, feature_names, seed, num_threads)
        heads.append(replace(trained.on_train, boosters=tuple(boosters)))
        tells &= _has_events(trained, rows)
    accounts = frozenset(known[order % 2 == 0].tolist())
    return HalfHeads(accounts, heads[0], heads[1], tuple(tells.tolist()))


def _has_events(trained: TrainedHead, rows: HeadRows) -> NDArray[np.bool_]:
    """Return per interval whether *rows* have an event that its trees can be grown by."""
    pooled = rows.periods().events
    return np.array(
        [
            bool(pooled and (not sum(own.values()) or rows.periods(interval).events))
            for interval, own in enumerate(trained.choice["interval_rounds"])
        ]
    )


def _grown_alike(
    trained: TrainedHead,
    rows: HeadRows,
    definitions: Definitions,
    names: Sequence[str],
    seed: int,
    num_threads: int,
) -> Sequence[lgb.Booster]:
    if not len(rows.periods().rows):
        return trained.on_train.boosters
    params = [
        boosting.parameters(stage, seed=seed, num_threads=num_threads) for stage in definitions.model.stages
    ]
    stages = [stage.name for stage in definitions.model.stages]
    shared: lgb.Booster | None = None
    for name, one in zip(stages, params, strict=True):
        shared = boosting.fit_rounds(
            rows.booster_rows(names), one, trained.choice["shared_rounds"][name], shared
        )
    assert shared is not None  # noqa: S101 - definitions have at least one stage
    boosters = []
    for interval, own in enumerate(trained.choice["interval_rounds"]):
        booster = shared
        lived = bool(len(rows.periods(interval).rows))
        for name, one in zip(stages, params, strict=True):
            booster = boosting.fit_rounds(
                rows.booster_rows(names, interval), one, own[name] if lived else 0, booster
            )
        boosters.append(booster)
    return boosters


def _floors(head: HazardHead, rows: PartRows) -> tuple[float, ...]:
    """Return per interval the standard error of the calibration's level: what it was fitted to, and drift.

    Drift is how far event counts of validation cutoffs scatter around what was expected beyond a Poisson count's own
    scatter (method of moments), in log-odds.
    """
    found = []
    hazards = head.hazards(rows.matrix)
    periods = rows.head_rows(head.name)
    for interval in range(hazards.shape[1]):
        lived = periods.periods(interval)
        hazard = hazards[lived.rows, interval]
        level = 1.0 / max(float((hazard * (1.0 - hazard)).sum()), 1.0)
        _, group = np.unique(rows.labels.cutoff[lived.rows], return_inverse=True)
        seen = np.bincount(group, weights=lived.event)
        due = np.bincount(group, weights=hazard)
        drift = float(((seen - due) ** 2 - due).sum() / max(float((due**2).sum()), 1.0))
        found.append(float(np.sqrt(level + max(0.0, drift))))
    return tuple(found)
