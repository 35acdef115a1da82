"""How much an account's MRR grows if it expands: a shrunken mean by plan, or a booster where there are events enough.

The target is `log(MRR after / MRR before)` at the first expansion after a cutoff; amounts are ratios, so currencies
need not be known to learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import lightgbm as lgb
import numpy as np
import pyarrow as pa

from feature_repo.tables import reading
from training.errors import DatasetError
from training.evaluation.bootstrap import AccountBootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.labels import Labels

MICROSECONDS_PER_DAY = 86_400_000_000
ENOUGH_EVENTS = 400
PRIOR_EVENTS = 20.0
_PARAMETERS: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 4,
    "min_data_in_leaf": 40,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class AmountModel:
    """Expected extra MRR over MRR, given that an account expands.

    Attributes:
        plan_column: Column of the plan's code in the matrix, or None if there is none.
        by_plan: Shape (plans,), shrunken mean log ratio by plan code.
        overall: Mean log ratio of all expansions, for a plan that is not known.
        booster: Regression of the log ratio; None if there were too few expansions or it was no better.
        spread: Mean of the ratio over the exponential of its predicted log (Duan 1983, smearing).
    """

    plan_column: int | None
    by_plan: NDArray[np.float64]
    overall: float
    booster: lgb.Booster | None
    spread: float

    def extra_mrr_ratio(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return expected extra MRR over MRR, shape (n,), never below 0."""
        return np.maximum(self.spread * np.exp(self.log_ratio(matrix)) - 1.0, 0.0)

    def log_ratio(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the predicted log ratio, shape (n,)."""
        if self.booster is not None:
            return np.asarray(self.booster.predict(matrix), dtype=np.float64)
        if self.plan_column is None or not len(self.by_plan):
            return np.full(len(matrix), self.overall)
        code = matrix[:, self.plan_column]
        known = (code >= 0) & (code < len(self.by_plan))
        position = np.where(known, code, 0).astype(np.intp)
        return np.asarray(np.where(known, self.by_plan[position], self.overall), dtype=np.float64)


def read_log_ratios(folder: Path, labels: Labels, within_days: int) -> NDArray[np.float64]:
    """Return log(MRR after / MRR before) of each row's expansion within *within_days*, NaN where there is none.

    MRR of overlapping paid subscriptions is added up; before is the moment just before the expansion. An expansion
    without an MRR on either side, or after which MRR is not larger (a discount, say), is NaN.

    Raises:
        DatasetError: The folder has no subscriptions.
        DataFolderError: A file can't be read as the raw-table contract asks.
    """
    con = reading.connect()
    table = reading.scan(con, folder, "subscriptions")
    if table is None:
        raise DatasetError(
            f"{folder}: the table subscriptions is not there; amounts can't be told without it"
        )
    columns = table.select("account_id", "mrr", "started_at", "ended_at", "is_trial").to_pyarrow()
    days = labels.event_days["upsell"]
    known = np.isfinite(days) & (days < within_days)
    start = labels.cutoff[known].astype("datetime64[us]").astype(np.int64)
    moment = start + np.rint(days[known] * MICROSECONDS_PER_DAY).astype(np.int64)
    found = np.full(len(labels), np.nan)
    if not known.any():
        return found
    asked = pa.table(
        {
            "at": np.flatnonzero(known),
            "account_id": pa.array(labels.account_id[known].astype(str), pa.string()),
            "t": moment,
        }
    )
    with duckdb.connect() as own:
        own.execute("set timezone = 'UTC'")
        own.register("subscriptions", columns)
        own.register("asked", asked)
        rows = own.execute(
            """
            with paid as (
                select account_id, mrr, epoch_us(started_at) as s, coalesce(epoch_us(ended_at), 2^62) as e
                from subscriptions where not coalesce(is_trial, false)
            )
            select a.at,
                   sum(p.mrr) filter (where p.s < a.t and p.e >= a.t)::double as before,
                   sum(p.mrr) filter (where p.s <= a.t and p.e > a.t)::double as after
            from asked a join paid p using (account_id) group by a.at order by a.at
            """
        ).fetchnumpy()
    before, after = (
        np.ma.filled(np.ma.asarray(rows[key]).astype(np.float64), np.nan) for key in ("before", "after")
    )
    grows = (before > 0) & (after > before)
    found[np.asarray(rows["at"], dtype=np.intp)[grows]] = np.log(after[grows] / before[grows])
    return found


def fit_amount(
    train: NDArray[np.float64],
    log_ratio: NDArray[np.float64],
    validation: NDArray[np.float64],
    validation_log_ratio: NDArray[np.float64],
    *,
    plan_column: int | None,
    plans: int,
    feature_names: Sequence[str],
    seed: int,
    num_threads: int = 1,
) -> AmountModel:
    """Return the model of how much MRR grows; the booster only if it has a smaller error on validation.

    Args:
        train: Matrix, shape (n, f).
        log_ratio: Shape (n,), NaN where there was no expansion; those rows are not used.
        validation: Later rows.
        validation_log_ratio: Likewise.
        plan_column: Column of the plan's code, or None.
        plans: Number of plan codes.
        feature_names: Columns of the matrix.
        seed: Seed of LightGBM.
        num_threads: Threads of LightGBM.

    Raises:
        DatasetError: No training row has an expansion with a known amount.
    """
    told = ~np.isnan(log_ratio)
    rows, target = train[told], log_ratio[told]
    if not len(target):
        raise DatasetError("no expansion in training has an MRR before and a larger one after")
    overall = float(target.mean())
    by_plan = np.full(plans, overall)
    if plan_column is not None:
        code = rows[:, plan_column]
        for plan in range(plans):
            mine = target[code == plan]
            by_plan[plan] = (mine.sum() + PRIOR_EVENTS * overall) / (len(mine) + PRIOR_EVENTS)
    plain = _with_smearing(AmountModel(plan_column, by_plan, overall, None, 1.0), rows, target)
    checked = ~np.isnan(validation_log_ratio)
    if len(target) < ENOUGH_EVENTS or not checked.any():
        return plain
    data = lgb.Dataset(rows, target, feature_name=list(feature_names), free_raw_data=False)
    booster = lgb.train(
        {**_PARAMETERS, "seed": seed, "num_threads": num_threads}, data, num_boost_round=_ROUNDS
    )
    boosted = _with_smearing(AmountModel(plan_column, by_plan, overall, booster, 1.0), rows, target)
    losses = [
        float(np.abs(each.log_ratio(validation[checked]) - validation_log_ratio[checked]).mean())
        for each in (plain, boosted)
    ]
    return boosted if losses[1] < losses[0] else plain


def _with_smearing(model: AmountModel, rows: NDArray[np.float64], target: NDArray[np.float64]) -> AmountModel:
    spread = float(np.exp(target).mean() / np.exp(model.log_ratio(rows)).mean())
    return AmountModel(model.plan_column, model.by_plan, model.overall, model.booster, spread)


def amount_report(
    model: AmountModel,
    matrix: NDArray[np.float64],
    log_ratio: NDArray[np.float64],
    account_id: NDArray[np.object_],
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the mean absolute error of extra MRR over MRR, against the mean of training, with intervals.

    Args:
        model: The model.
        matrix: Test rows, shape (n, f).
        log_ratio: Shape (n,), NaN where there was no expansion; those rows are not judged.
        account_id: Shape (n,).
        samples: Resamples of accounts.
        seed: Their seed.
    """
    told = ~np.isnan(log_ratio)
    bootstrap = AccountBootstrap(account_id[told], samples=samples, seed=seed)
    target = np.exp(log_ratio[told]) - 1.0
    ours = np.abs(model.extra_mrr_ratio(matrix[told]) - target)
    base = np.abs(np.exp(model.overall) - 1.0 - target)
    return {
        "model": "booster" if model.booster is not None else "mean by plan",
        "expansions": int(told.sum()),
        "mean_absolute_error": bootstrap.mean(ours).as_dict(),
        "mean_absolute_error_of_the_mean": bootstrap.mean(base).as_dict(),
        "gain": bootstrap.mean(base - ours).as_dict(),
    }
