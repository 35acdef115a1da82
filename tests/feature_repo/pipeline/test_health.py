"""The health score's formula, what its history says, and how peers compare, on rows made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ibis
import pytest

from feature_repo.pipeline import health, peers
from feature_repo.pipeline.frame import Frame
from feature_repo.pipeline.health_level import NEEDS, WEIGHTS

if TYPE_CHECKING:
    import ibis.expr.types as ir

COLUMNS = {name: "float64" for names in health.NEEDS.values() for name in names} | {"plan": "string"}
AT_BASELINE = dict.fromkeys(NEEDS["usage"][:4], 1.0) | {"days_since_last_active": 0.0}


def score(**known: float | str) -> float | None:
    """Return the score of a day on which only *known* is known; None also where there is none to be known."""
    row = {"account_id": "A", "day": 0} | dict.fromkeys(COLUMNS) | known
    schema = {"account_id": "string", "day": "int64"} | COLUMNS
    table = ibis.memtable([row], schema=schema)
    found = health.scored(table).to_pyarrow()["score"].to_pylist()
    return found[0] / 1000.0 if found and found[0] is not None else None


def history(scores: dict[int, float], touched: dict[int, int] | None = None) -> dict[int, dict[str, Any]]:
    """Return the features of an account's days 0 to 299 with *scores*, by day."""
    con = ibis.duckdb.connect()
    days = con.create_table("days", ibis.memtable({"account_id": ["A"] * 300, "day": list(range(300))}))
    rows = [
        {
            "account_id": "A",
            "day": d,
            "score": scores[d] * 1000.0,
            "days_since_last_touch": (touched or {}).get(d),
        }
        for d in sorted(scores)
    ]
    schema = {"account_id": "string", "day": "int64", "score": "float64", "days_since_last_touch": "int64"}
    scored = con.create_table("scored", ibis.memtable(rows, schema=schema))
    made = health.expression(Frame({}, days, 0, 299), scored).order_by("day").to_pyarrow().to_pylist()
    return {row["day"]: row for row in made}


def test_the_weights_add_to_one() -> None:
    """All parts together are the whole."""
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


def test_an_account_at_its_own_baseline_stands_at_80() -> None:
    """Usage alone decides where nothing else is known; a quarter above the baseline is 100, and no more counts."""
    assert score(**AT_BASELINE) == 80.0
    assert score(events_28d_vs_baseline_ratio=1.25) == 100.0
    assert score(events_28d_vs_baseline_ratio=9.0) == 100.0
    assert score(events_28d_vs_baseline_ratio=0.5, api_calls_28d_vs_baseline_ratio=1.0) == 60.0
    assert score(**AT_BASELINE | {"days_since_last_active": 21.0}) == 40.0
    assert score(**AT_BASELINE | {"days_since_last_active": 90.0}) == 0.0


def test_an_account_that_left_long_ago_has_no_score() -> None:
    """Sixty days after paid coverage ended there is a score still, then only while a trial runs."""
    assert score(**AT_BASELINE, days_since_end=60.0) == pytest.approx(80.0)
    assert score(**AT_BASELINE, days_since_end=61.0) is None
    assert score(**AT_BASELINE, days_since_end=61.0, plan="basic") == pytest.approx(80.0)


def test_parts_that_are_not_known_drop_out() -> None:
    """Weights of the known parts are scaled up; without usage and adoption there is no score."""
    paid = {"invoices_overdue": 1.0, "overdue_days_max": 10.0, "disputes_180d": 1.0}
    payment = 100 - 20 - 20
    assert score(**AT_BASELINE, **paid) == pytest.approx((0.35 * 80 + 0.15 * payment) / 0.5)
    assert score(adoption_ratio=0.5, **paid) == pytest.approx((0.2 * 50 + 0.15 * payment) / 0.35, abs=1e-3)
    assert score(**paid, nps_last=9.0) is None


def test_support_and_contact_count_as_written_down() -> None:
    """Mood, satisfaction, complaints and escalations make support; touches, mails and answers make contact."""
    support = {
        "tickets_90d": 2.0,
        "ticket_sentiment_90d_mean": -0.5,
        "complaints_90d": 1.0,
        "escalations_90d": 1.0,
    }
    expected = 40 - 10 - 15
    assert score(**AT_BASELINE, **support) == pytest.approx((0.35 * 80 + 0.15 * expected) / 0.5)
    rated = {**support, "csat_90d_mean": 3.0}
    assert score(**AT_BASELINE, **rated) == pytest.approx((0.35 * 80 + 0.15 * (45 - 25)) / 0.5)
    contact = {"days_since_last_touch": 60.0, "email_open_ratio_90d": 0.4, "nps_last": 9.0}
    assert score(**AT_BASELINE, **contact) == pytest.approx((0.35 * 80 + 0.15 * 60) / 0.5)


def test_a_steady_fall_has_its_slope_drawdown_and_deviation() -> None:
    """A fall of half a point a day is 15 points a month, 44.5 under the 90-day high, and under 50 since day 80."""
    row = history({d: 90.0 - 0.5 * d for d in range(100)})[99]
    assert row["health_score"] == 40.5
    assert row["health_score_28d_change"] == -14.0
    assert row["health_score_90d_change"] == -45.0
    assert row["health_score_90d_slope"] == pytest.approx(-15.0)
    assert row["health_score_90d_drawdown"] == 44.5
    assert row["health_score_28d_std"] == pytest.approx(0.5 * (28 * 29 / 12) ** 0.5)
    assert row["health_score_90d_std"] == pytest.approx(0.5 * (90 * 91 / 12) ** 0.5)
    assert row["health_days_below_50_90d"] == 19
    assert row["health_recoveries_180d"] == 0


def test_a_recovery_is_counted_once_and_forgotten_after_half_a_year() -> None:
    """Falling to 40 and rising to 70 is one recovery from the day the rise reaches 10 points, for 180 days."""
    scores = dict.fromkeys(range(300), 70.0) | dict.fromkeys(range(30, 40), 40.0)
    rows = history(scores)
    assert [rows[d]["health_recoveries_180d"] for d in (39, 40, 60, 219, 220)] == [0, 1, 1, 1, 0]


def test_little_history_says_little() -> None:
    """Deviation and slope wait for enough known days, and a day without a score has no features."""
    rows = history({d: 50.0 + d for d in range(20)})
    assert rows[10]["health_score_28d_std"] is None
    assert rows[13]["health_score_28d_std"] is not None
    assert rows[19]["health_score_90d_slope"] is None
    assert rows[25]["health_days_below_50_90d"] is None


def test_the_change_since_the_last_touch_is_known_for_90_days() -> None:
    """Health now is compared with health on the day of the touch, not with an older one."""
    scores = {d: 50.0 + 0.1 * d for d in range(200)}
    rows = history(scores, {120: 20, 199: 99})
    assert rows[120]["health_score_since_touch_change"] == pytest.approx(2.0)
    assert rows[199]["health_score_since_touch_change"] is None


def compare(rows: ir.Table) -> dict[str, dict[str, Any]]:
    """Return the peers' features by account."""
    made = peers.expression(Frame({}, rows, 0, 0), rows).to_pyarrow().to_pylist()
    return {row["account_id"]: row for row in made}


def test_percentiles_rank_within_segment_plan_and_day() -> None:
    """The best of five is at 1, the worst at 0, ties share, and four peers are too few."""
    rows = [
        {"account_id": f"s{n}", "segment": "smb", "health": float(value), "price": 10.0 + n}
        for n, value in enumerate((10, 20, 20, 30, 40))
    ]
    rows += [{"account_id": f"e{n}", "segment": "large", "health": 5.0, "price": 1.0} for n in range(4)]
    common = {"day": 0, "plan": "pro", "per_seat": None, "change": 2.0, "breadth": 3.0}
    schema = {"account_id": "string", "day": "int64", "plan": "string", "segment": "string"}
    schema |= dict.fromkeys(("per_seat", "change", "breadth", "health", "price"), "float64")
    found = compare(ibis.memtable([common | row for row in rows], schema=schema))
    assert [found[f"s{n}"]["health_score_peer_percentile"] for n in range(5)] == [
        0.0,
        0.375,
        0.375,
        0.75,
        1.0,
    ]
    assert found["e0"]["health_score_peer_percentile"] is None
    assert found["s0"]["features_used_28d_peer_percentile"] == 0.5
    assert found["s0"]["usage_per_seat_28d_peer_percentile"] is None
    assert found["s4"]["mrr_per_seat_vs_peers_ratio"] == pytest.approx(14.0 / 12.0)
    assert found["e0"]["mrr_per_seat_vs_peers_ratio"] is None
    assert found["e0"]["usage_28d_vs_baseline_seasonal_ratio"] == 1.0
