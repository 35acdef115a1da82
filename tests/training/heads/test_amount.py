"""How much MRR grows, on subscriptions and effects that are known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from feature_repo.tables.dataset import DatasetInfo, save_dataset_info
from tests.training.heads.planted import DEFINITIONS
from training.errors import DatasetError
from training.heads.amount import ENOUGH_EVENTS, amount_report, fit_amount, read_log_ratios
from training.labels import read_labels

NAN = np.nan


def _fit(n: int, seed: int = 0):
    """Return a model of n expansions whose log ratio is 0.1 on plan 0 and 0.5 on plan 1, moved by column 1."""
    rng = np.random.default_rng(seed)

    def rows(count):
        matrix = np.column_stack([rng.integers(0, 2, count).astype(float), rng.normal(size=count)])
        target = np.where(matrix[:, 0] == 1, 0.5, 0.1) + 0.2 * matrix[:, 1] + rng.normal(0, 0.05, count)
        return matrix, target

    train, check, test = rows(n), rows(300), rows(300)
    model = fit_amount(*train, *check, plan_column=0, plans=2, feature_names=["plan", "use"], seed=1)
    return model, test


def test_few_expansions_give_a_mean_by_plan_held_near_the_overall_mean():
    """Under 400 expansions there is no booster; plans differ, by less than their raw means do."""
    model, _ = _fit(ENOUGH_EVENTS - 1)
    assert model.booster is None
    assert 0.25 < model.by_plan[1] - model.by_plan[0] < 0.4
    unknown = model.log_ratio(np.array([[NAN, 0.0], [7.0, 0.0]]))
    assert unknown.tolist() == [model.overall] * 2


def test_many_expansions_give_a_booster_that_beats_the_mean():
    """With a planted effect the error is smaller than the mean's, interval and all, and the mean ratio is right."""
    model, (matrix, target) = _fit(2_000)
    assert model.booster is not None
    accounts = np.array([f"a{row}" for row in range(len(target))], dtype=object)
    report = amount_report(model, matrix, target, accounts, samples=50, seed=0)
    assert report["gain"]["low"] > 0
    assert model.extra_mrr_ratio(matrix).mean() == pytest.approx(np.exp(target).mean() - 1, rel=0.08)


def test_without_any_expansion_there_is_nothing_to_learn():
    """The error says that amounts are missing."""
    nothing = np.full(3, NAN)
    with pytest.raises(DatasetError, match="no expansion"):
        fit_amount(
            np.ones((3, 1)),
            nothing,
            np.ones((3, 1)),
            nothing,
            plan_column=None,
            plans=0,
            feature_names=["a"],
            seed=1,
        )


def test_amounts_are_read_from_subscriptions(tmp_path):
    """A move from 100 to 150 is log 1.5; one without MRR, or to less MRR, has no amount."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    def at(day: int) -> dt.datetime:
        return dt.datetime(2025, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day)

    rows = []
    for account, before, after in (("a", 100.0, 150.0), ("b", None, 150.0), ("c", 100.0, 90.0)):
        for plan, mrr, start, end in (("basic", before, 0, 80), ("pro", after, 80, None)):
            rows.append(
                {
                    "subscription_id": f"{account}-{plan}",
                    "account_id": account,
                    "plan": plan,
                    "seats": 5,
                    "mrr": mrr,
                    "currency": "EUR",
                    "started_at": at(start),
                    "ended_at": None if end is None else at(end),
                    "is_trial": False,
                }
            )
    stamp = pa.timestamp("us", tz="UTC")
    schema = pa.schema(
        [("subscription_id", pa.string()), ("account_id", pa.string()), ("plan", pa.string()), ("seats", pa.int64()),
         ("mrr", pa.float64()), ("currency", pa.string()), ("started_at", stamp), ("ended_at", stamp),
         ("is_trial", pa.bool_())]
    )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "subscriptions.parquet")
    accounts = pa.table(
        {
            "account_id": ["a", "b", "c"],
            "created_at": pa.array([at(0)] * 3, stamp),
            "consent_training": [True] * 3,
        }
    )
    pq.write_table(accounts, tmp_path / "accounts.parquet")
    info = DatasetInfo(name="x", synthetic=True, end_day=dt.date(2025, 12, 31), plan_order=("basic", "pro"))
    save_dataset_info(info, tmp_path)
    labels = read_labels(tmp_path, [dt.date(2025, 3, 1)], DEFINITIONS)
    found = read_log_ratios(tmp_path, labels, 90)
    assert found[0] == pytest.approx(np.log(1.5))
    assert np.isnan(found[1:]).all()
    assert np.isnan(read_log_ratios(tmp_path, labels, 10)).all()
