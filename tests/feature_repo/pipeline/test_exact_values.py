"""Every view on a tiny hand-made world, with the values worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.feature_repo.pipeline.worlds import Row, World, day, features, time, write

if TYPE_CHECKING:
    from pathlib import Path

LAST = 130


def world() -> World:
    """Return one account, A, from day 0, on a plan of 10 seats that became 20 on day 100."""
    common = {"account_id": "A", "api_calls_limit_per_month": 300.0, "storage_limit_gb": 50.0}
    basic = {**common, "plan": "basic", "seats": 10, "mrr": 100.0, "list_mrr": 125.0, "features_available": 4}
    pro = {**common, "plan": "pro", "seats": 20, "mrr": 250.0, "discount_ratio": 0.1, "features_available": 8}
    return {
        "accounts": [
            {
                "account_id": "A",
                "created_at": time(0.5),
                "segment": "smb",
                "region": "eu",
                "employees": 12,
                "onboarded_at": time(10.2),
                "consent_email": True,
            }
        ],
        "subscriptions": [
            {**basic, "subscription_id": "1", "started_at": time(2), "ended_at": time(100)},
            {**pro, "subscription_id": "2", "started_at": time(100), "term_end_at": time(140)},
        ],
        # A log-in every second day of the first 103 days, then one a day; value 2.
        "usage_daily": [
            *({"account_id": "A", "day": day(d), "metric": "logins", "value": 2.0} for d in range(0, 103, 2)),
            *({"account_id": "A", "day": day(d), "metric": "logins", "value": 2.0} for d in range(103, 131)),
            {"account_id": "A", "day": day(120), "metric": "active_users", "value": 5.0},
            {"account_id": "A", "day": day(121), "metric": "active_users", "value": 3.0},
            *(
                {"account_id": "A", "day": day(d), "metric": "api_calls", "value": 10.0}
                for d in range(117, 124)
            ),
            *(
                {"account_id": "A", "day": day(d), "metric": "api_calls", "value": 5.0}
                for d in range(124, 131)
            ),
            {"account_id": "A", "day": day(4), "metric": "storage_gb", "value": 25.0},
        ],
    }


def row(folder: Path, tables: World, view: str, number: int) -> Row:
    """Return the row of account A on day *number*."""
    rows = features(write(tables, folder, LAST), number, number, [view])[view]
    return next(row for row in rows if row["account_id"] == "A")


def check(found: Row, expected: dict[str, Any]) -> None:
    """Compare the expected features, floats to 12 digits."""
    near = {
        name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
        for name, value in expected.items()
    }
    assert {name: found[name] for name in expected} == near


def test_usage_windows_baselines_and_gaps(tmp_path: Path) -> None:
    """Windows count days without a row as zero, and compare with the 90 days before the window."""
    found = row(tmp_path, world(), "usage", LAST)
    check(
        found,
        {
            "logins_7d": 14.0,
            "logins_28d": 56.0,
            "login_days_28d": 28,
            # 28 of 28 days against the 45 even days of the 90 days 13 to 102.
            "login_days_28d_vs_baseline_ratio": (28 / 28) / (45 / 90),
            # Reported for 11 days, so the mean is over 11 days.
            "active_users_28d_mean": 8 / 11,
            "active_users_28d_vs_baseline_ratio": None,
            "api_calls_28d": 105.0,
            "api_calls_wow_ratio": 0.5,
            "events_28d": None,
            "active_days_28d": 28,
            "days_since_last_active": 0,
            "storage_gb": 25.0,
            "invites_28d": None,
            # API calls are the busiest metric, but known for 14 days only, so there is no trend yet.
            "usage_trend_28d_slope": None,
        },
    )


def test_usage_trend_is_the_weekly_slope_as_a_share_of_the_mean_week(tmp_path: Path) -> None:
    """Weeks of 7, 14, 21 and 28 events have a slope of 7 a week on a mean of 17.5."""
    tables = world()
    tables["usage_daily"] = [
        {"account_id": "A", "day": day(d), "metric": "events", "value": 1.0 + (d - 50) // 7}
        for d in range(50, 78)
    ]
    check(row(tmp_path, tables, "usage", 77), {"usage_trend_28d_slope": 7 / 17.5, "events_28d": 70.0})


def test_usage_is_null_before_the_first_row_of_a_metric(tmp_path: Path) -> None:
    """On the day before the first row of a metric nothing is known about it."""
    found = row(tmp_path, world(), "usage", 119)
    assert found["active_users_28d_mean"] is None
    assert found["api_calls_28d"] == 30.0


def test_feature_totals_stand_in_for_events_without_usage_daily(tmp_path: Path) -> None:
    """With `feature_usage` alone, the day's uses count as product events."""
    tables = world()
    del tables["usage_daily"]
    tables["feature_usage"] = [{"account_id": "A", "day": day(129), "feature_key": "x", "count": 3}]
    check(row(tmp_path, tables, "usage", LAST), {"events_7d": 3.0, "active_days_28d": 1, "logins_7d": None})


def test_adoption_counts_different_features_per_window(tmp_path: Path) -> None:
    """A feature counts for 28 (or 90) days after its last use, and once however often it is used."""
    uses = [(40, "old", "core"), (60, "gone", "core"), (103, "edge", "core"), (101, "x", "advanced")]
    uses += [(d, "x", "advanced") for d in (110, 111, 128)]
    tables = world()
    tables["feature_usage"] = [
        {
            "account_id": "A",
            "day": day(d),
            "feature_key": key,
            "count": 2,
            "errors": int(d == 128),
            "feature_tier": tier,
        }
        for d, key, tier in uses
    ]
    check(
        row(tmp_path, tables, "adoption", LAST),
        {
            "feature_uses_28d": 8.0,
            "features_used_28d": 2,
            "advanced_features_used_28d": 1,
            # gone (day 60), edge and x within 90 days, of 8.
            "adoption_ratio": 3 / 8,
            "new_features_adopted_28d": 1,
            "feature_error_ratio_28d": 1 / 8,
            # Known since day 40; over the 63 days 40 to 102: old 28 days, gone 28, x 2.
            "features_used_28d_vs_baseline_ratio": 2 / (58 / 63),
        },
    )
    assert row(tmp_path, tables, "adoption", 39)["features_used_28d"] is None


def test_sentiment_steps_of_knowledge(tmp_path: Path) -> None:
    """A ticket's answer, closure, rating and escalation count from their own time on."""
    common = {"account_id": "A", "is_complaint": False, "priority": "low", "escalated": None, "csat": None}
    tables = world()
    tables["support_tickets"] = [
        {
            **common,
            "ticket_id": "1",
            "opened_at": time(100),
            "first_response_at": time(100.5),
            "sentiment": 0.5,
        },
        {
            **common,
            "ticket_id": "2",
            "opened_at": time(110),
            "closed_at": time(120.5),
            "first_response_at": time(111.5),
            "sentiment": 0.2,
            "priority": "urgent",
            "csat": 2.0,
            "escalated": True,
        },
        {**common, "ticket_id": "3", "opened_at": time(120), "sentiment": -0.1, "is_complaint": True},
        {**common, "ticket_id": "4", "opened_at": time(1), "sentiment": 1.0},
    ]
    check(
        row(tmp_path, tables, "sentiment", 120),
        {
            "tickets_90d": 3,
            "urgent_tickets_90d": 1,
            "escalations_90d": 1,
            "complaints_90d": 1,
            "open_tickets": 3,
            "ticket_sentiment_90d_mean": 0.2,
            "ticket_sentiment_90d_slope": -0.3 / 10 * 30,
            "csat_90d_mean": 2.0,
            "first_response_hours_90d_mean": 24.0,
        },
    )
    before = row(tmp_path, tables, "sentiment", 119)
    check(
        before,
        {"escalations_90d": 0, "open_tickets": 3, "csat_90d_mean": None, "ticket_sentiment_90d_slope": None},
    )


def test_commercial_state_limits_and_history(tmp_path: Path) -> None:
    """The current period gives plan and terms; limits, growth and changes are measured against it."""
    tables = world()
    check(
        row(tmp_path, tables, "commercial", LAST),
        {
            "plan": "pro",
            "seats": 20,
            "mrr": 250.0,
            "mrr_per_seat": 12.5,
            "mrr_change_90d_ratio": 2.5,
            "seat_growth_90d_ratio": 2.0,
            "seat_utilisation_ratio": 5 / 20,
            "api_limit_utilisation_ratio": 105 * 30 / 28 / 300,
            "storage_limit_utilisation_ratio": 0.5,
            "tenure_days": 128,
            "days_to_term_end": 10,
            "is_trial": False,
            "discount_ratio": 0.1,
            "plan_changes_365d": 1,
            "days_since_plan_change": 30,
            "mrr_per_seat_change_90d_ratio": 12.5 / 10.0,
            "discount_365d_max": 0.2,
            "trial_to_paid_days": None,
            "invoices_overdue": None,
        },
    )
    # The first period ends, and the second begins, at the very start of day 100.
    check(
        row(tmp_path, tables, "commercial", 99),
        {
            "plan": "basic",
            "seats": 10,
            "discount_ratio": 0.2,
            "plan_changes_365d": 0,
            "days_to_term_end": None,
        },
    )
    check(
        row(tmp_path, tables, "commercial", 100), {"plan": "pro", "seats": 20, "seat_growth_90d_ratio": 2.0}
    )
    check(row(tmp_path, tables, "commercial", 1), {"plan": None, "seats": 0, "mrr": 0.0, "tenure_days": None})


def test_payments_are_known_when_they_come(tmp_path: Path) -> None:
    """An invoice is overdue from the day after its due day until the day on which it is paid."""
    tables = world()
    tables["invoices"] = [
        {"invoice_id": "1", "account_id": "A", "issued_at": time(90), "due_at": time(100), "amount": 1.0},
        {
            "invoice_id": "2",
            "account_id": "A",
            "issued_at": time(100),
            "due_at": time(110),
            "paid_at": time(112.5),
            "disputed_at": time(111),
            "amount": 1.0,
            "attempts": 3,
        },
        {
            "invoice_id": "3",
            "account_id": "A",
            "issued_at": time(10),
            "due_at": time(20),
            "paid_at": time(19.5),
            "amount": 1.0,
            "attempts": 1,
        },
    ]
    check(
        row(tmp_path, tables, "commercial", 112),
        {
            "invoices_paid_in_time_180d_ratio": 0.5,
            "failed_payment_attempts_180d": 2,
            "payment_delay_days_90d_change": 2.5 - -0.5,
        },
    )
    names = ("invoices_overdue", "overdue_days_max", "payment_delay_days_180d_mean", "disputes_180d")
    expected = {100: (0, 0, -0.5, 0), 101: (1, 1, -0.5, 0), 111: (2, 11, -0.5, 1), 112: (1, 12, 1.0, 1)}
    for number, values in expected.items():
        check(row(tmp_path, tables, "commercial", number), dict(zip(names, values, strict=True)))


def test_engagement_windows_and_last_answers(tmp_path: Path) -> None:
    """Sent mails and unsubscriptions are no touches; the last survey answer stays known."""
    kinds = [
        (2, "nps", 6.0),
        (20, "nps", 9.0),
        (105, "email_sent", None),
        (106, "email_sent", None),
        (106.5, "email_opened", None),
        (106.6, "email_clicked", None),
    ]
    kinds += [
        (110, "call", None),
        (111, "unsubscribed", None),
        (70, "meeting", None),
        (1, "training_completed", None),
    ]
    tables = world()
    tables["engagements"] = [
        {
            "engagement_id": str(i),
            "account_id": "A",
            "occurred_at": time(at),
            "kind": kind,
            "score": score,
            "person_id": f"p{i % 3}",
        }
        for i, (at, kind, score) in enumerate(kinds)
    ]
    check(
        row(tmp_path, tables, "engagement", LAST),
        {
            "touches_28d": 3,
            "days_since_last_touch": 20,
            "email_open_ratio_90d": 0.5,
            "calls_90d": 1,
            "meetings_90d": 1,
            "trainings_completed_180d": 1,
            "nps_last": 9.0,
            "sponsor_contacts_90d": 0,
            # Touches of the last 90 days: 4, 5, 6 (persons 1, 2, 0), and the meeting.
            "people_touched_90d": 3,
            "days_since_sponsor_contact": None,
            "days_since_training": 129,
            "email_click_ratio_90d": 0.5,
            "nps_change": 3.0,
        },
    )


def test_profile_incidents_complaints_and_onboarding(tmp_path: Path) -> None:
    """Incidents count for the accounts in their scope, and only while they are not known to be over."""
    tables = world()
    tables["incidents"] = [
        {"incident_id": "1", "started_at": time(100), "ended_at": time(101.5), "scope": "all"},
        {"incident_id": "2", "started_at": time(101), "ended_at": None, "scope": "region", "scope_id": "us"},
        {
            "incident_id": "3",
            "started_at": time(60),
            "ended_at": time(60.1),
            "scope": "account",
            "scope_id": "A",
        },
    ]
    tables["support_tickets"] = [
        {"ticket_id": "1", "account_id": "A", "opened_at": time(97), "is_complaint": True, "text": "bad"}
    ]
    base = {"segment": "smb", "employees": 12, "onboarded": True, "has_active_subscription": True}
    going = {"incident_active": True, "incidents_28d": 1, "last_complaint_days": 3, "account_age_days": 100}
    check(row(tmp_path, tables, "profile", 100), {**base, **going})
    assert row(tmp_path, tables, "profile", 5)["onboarding_days"] == 5
    assert row(tmp_path, tables, "profile", 100)["onboarding_days"] == 10
    check(row(tmp_path, tables, "profile", 101), {"incident_active": False, "incidents_28d": 1})
    early = {
        "onboarded": False,
        "has_active_subscription": False,
        "last_complaint_days": None,
        "incidents_28d": 0,
    }
    check(row(tmp_path, tables, "profile", 1), early)


def test_season_compares_weekdays_with_weekdays_and_weeks_with_those_of_a_year_ago(tmp_path: Path) -> None:
    """Mondays count against Mondays, and 28 days against the same weeks 364 days before."""
    tables = world()
    weekly = (1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0)
    tables["usage_daily"] = [
        {
            "account_id": "A",
            "day": day(d),
            "metric": "events",
            "value": weekly[d % 7] * (3.0 if d >= 392 else 1.0),
        }
        for d in range(420)
    ]
    rows = features(write(tables, tmp_path, 419), 391, 419, ["usage"])["usage"]
    by_day = {found["event_timestamp"].date(): found for found in rows}
    # A row is stamped with the end of its day. 392 is a Monday: 3 of today, nothing of the weekend before it, against 1
    # on eight Mondays.
    assert by_day[day(393)]["usage_3d_vs_weekdays_56d_ratio"] == pytest.approx(3.0)
    assert by_day[day(392)]["usage_28d_vs_year_ago_ratio"] == pytest.approx(1.0)
    assert by_day[day(420)]["usage_28d_vs_year_ago_ratio"] == pytest.approx(3.0)
