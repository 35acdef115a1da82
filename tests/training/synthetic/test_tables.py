"""What the tables of a synthetic world say together."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc
import pytest

from training.synthetic.calendar import REGIONS
from training.synthetic.plans import PLANS, PRODUCT_FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


def _spans(small_table: Callable[[str], pa.Table]) -> dict[str, list[tuple[Any, Any]]]:
    spans: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
    for row in small_table("subscriptions").to_pylist():
        spans[row["account_id"]].append((row["started_at"], row["ended_at"]))
    return spans


@pytest.mark.parametrize(
    ("name", "time"),
    [("support_tickets", "opened_at"), ("engagements", "occurred_at"), ("treatments", "treated_at")],
)
def test_nothing_happens_outside_a_subscription(
    small_table: Callable[[str], pa.Table], name: str, time: str
) -> None:
    """Tickets, touches and treatments fall on days on which the account has a subscription."""
    spans = _spans(small_table)
    for row in small_table(name).to_pylist():
        day = row[time].date()
        assert any(
            start.date() <= day and (end is None or row[time] < end)
            for start, end in spans[row["account_id"]]
        ), row


@pytest.mark.parametrize("name", ["usage_daily", "feature_usage"])
def test_usage_lies_within_subscriptions(small_table: Callable[[str], pa.Table], name: str) -> None:
    """No usage before an account begins, after it has ended, or between leaving and coming back."""
    spans = _spans(small_table)
    rows = small_table(name).select(["account_id", "day"]).group_by(["account_id", "day"]).aggregate([])
    for row in rows.to_pylist():
        assert any(
            start.date() <= row["day"] and (end is None or row["day"] < end.date())
            for start, end in spans[row["account_id"]]
        ), row


def test_periods_follow_each_other(small_table: Callable[[str], pa.Table]) -> None:
    """An account's periods do not overlap; after an upgrade, downgrade or renewal the next begins at once."""
    by_account: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in small_table("subscriptions").to_pylist():
        by_account[row["account_id"]].append(row)
    reasons: Counter[str] = Counter()
    for rows in by_account.values():
        for row, following in pairwise(rows):
            reasons[row["end_reason"]] += 1
            assert row["ended_at"] <= following["started_at"]
            if row["end_reason"] in {"upgrade", "downgrade", "renewal"}:
                assert row["ended_at"] == following["started_at"]
        for row in rows[-1:]:
            assert row["end_reason"] in {None, "voluntary", "nonpayment"}
    assert reasons["upgrade"] > 20
    assert reasons["renewal"] > 20


def test_upgrades_grow_and_downgrades_shrink(small_table: Callable[[str], pa.Table]) -> None:
    """A period that ends by upgrade is followed by a higher plan or more seats, by downgrade the reverse."""
    ranks = {plan.key: rank for rank, plan in enumerate(PLANS)}
    rows = small_table("subscriptions").to_pylist()
    seen: Counter[str] = Counter()
    for row, following in pairwise(rows):
        if row["end_reason"] not in {"upgrade", "downgrade"}:
            continue
        seen[row["end_reason"]] += 1
        before = (ranks[row["plan"]], row["seats"])
        after = (ranks[following["plan"]], following["seats"])
        if row["end_reason"] == "upgrade":
            assert after[0] >= before[0]
            assert after > before
        else:
            assert after[0] <= before[0]
            assert after < before
    assert seen["upgrade"]


def test_limits_of_the_plan_hold(small_table: Callable[[str], pa.Table]) -> None:
    """Seats stay within the plan, and no account uses features that no plan of its gives."""
    plans = {plan.key: plan for plan in PLANS}
    most: dict[str, int] = defaultdict(int)
    for row in small_table("subscriptions").to_pylist():
        plan = plans[row["plan"]]
        assert plan.seats_included <= row["seats"] <= plan.seats_max
        assert row["features_available"] == plan.features_available
        most[row["account_id"]] = max(most[row["account_id"]], plan.features_available)
    order = {feature.key: position for position, feature in enumerate(PRODUCT_FEATURES)}
    used = small_table("feature_usage").group_by(["account_id", "feature_key"]).aggregate([]).to_pylist()
    assert all(order[row["feature_key"]] < most[row["account_id"]] for row in used)


def test_active_users_never_exceed_seats(small_table: Callable[[str], pa.Table]) -> None:
    """No day has more active users than the account ever had seats."""
    seats = small_table("subscriptions").group_by("account_id").aggregate([("seats", "max")]).to_pylist()
    most = {row["account_id"]: row["seats_max"] for row in seats}
    usage = small_table("usage_daily")
    users = usage.filter(pc.equal(usage["metric"], "active_users"))
    peaks = users.group_by("account_id").aggregate([("value", "max")]).to_pylist()
    assert all(row["value_max"] <= most[row["account_id"]] for row in peaks)


def test_week_and_weekend_differ(small_table: Callable[[str], pa.Table]) -> None:
    """European accounts log in far less on Saturdays than on Wednesdays."""
    regions = {row["account_id"]: row["region"] for row in small_table("accounts").to_pylist()}
    usage = small_table("usage_daily")
    logins = usage.filter(pc.equal(usage["metric"], "logins")).to_pylist()
    total: Counter[int] = Counter()
    for row in logins:
        if regions[row["account_id"]] == "europe":
            total[row["day"].weekday()] += int(row["value"])
    assert total[5] < 0.4 * total[2]


def test_places_are_real(small_table: Callable[[str], pa.Table]) -> None:
    """Every time zone of every region is an IANA time zone, and some values are unknown."""
    for region in REGIONS:
        for place in region.places:
            assert ZoneInfo(place.timezone).key == place.timezone
    accounts = small_table("accounts")
    for name in ("consent_email", "consent_training", "quiet_hours_start", "employees"):
        assert 0 < accounts[name].null_count < len(accounts) / 4
    refused = accounts["consent_training"].to_pylist().count(False)
    assert 0 < refused / len(accounts) < 0.08


def test_invoices_are_paid_late_or_never_by_some(small_table: Callable[[str], pa.Table]) -> None:
    """Most invoices are paid in time; some late, some not at all; amounts are the period's price."""
    rows = small_table("invoices").to_pylist()
    late = [row for row in rows if row["paid_at"] and row["paid_at"] > row["due_at"]]
    unpaid = [row for row in rows if row["paid_at"] is None]
    assert 0 < len(late) < 0.15 * len(rows)
    assert 0 < len(unpaid) < 0.2 * len(rows)
    assert any(row["disputed_at"] for row in rows)
    assert all(row["attempts"] >= 1 for row in rows if row["paid_at"])
    assert all(row["amount"] > 0 for row in rows)


def test_incidents_have_all_scopes(small_table: Callable[[str], pa.Table]) -> None:
    """There are incidents of everybody, of regions and of accounts, each with a fitting target."""
    accounts = set(small_table("accounts")["account_id"].to_pylist())
    regions = {region.key for region in REGIONS}
    scopes: Counter[str] = Counter()
    for row in small_table("incidents").to_pylist():
        scopes[row["scope"]] += 1
        targets: dict[str, set[str | None]] = {"all": {None}, "region": {*regions}, "account": {*accounts}}
        assert row["scope_id"] in targets[row["scope"]]
    assert set(scopes) >= {"region", "account"}


def test_counts_are_whole_numbers(small_table: Callable[[str], pa.Table]) -> None:
    """Every count metric is a whole number above zero: a day without use has no row."""
    usage = small_table("usage_daily")
    counts = usage.filter(pc.not_equal(usage["metric"], "storage_gb"))["value"].to_numpy()
    assert (counts > 0).all()
    assert (counts == np.round(counts)).all()
