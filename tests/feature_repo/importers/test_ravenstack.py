"""RavenStack's contradictions are counted and handled by the rules that the report states."""

# ruff: noqa: E501 - rows of a CSV file can't be broken

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from feature_repo.errors import ImportSourceError
from feature_repo.importers.registry import run_import
from feature_repo.tables.check import check
from feature_repo.tables.reading import connect, scan
from serving.decisions.catalogue import load_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from feature_repo.importers.report import ImportReport

FILES = {
    "accounts": """account_id,account_name,industry,country,signup_date,referral_source,plan_tier,seats,is_trial,churn_flag
A-1,"Zoë 🎉, Ltd",EdTech,US,10-01-2024,ads,Basic,9,FALSE,TRUE
A-2,Two,FinTech,UK,01-02-2024,other,Pro,3,FALSE,FALSE
""",
    "subscriptions": """subscription_id,account_id,start_date,end_date,plan_tier,seats,mrr_amount,arr_amount,is_trial,upgrade_flag,downgrade_flag,churn_flag,billing_frequency,auto_renew_flag
S-1,A-1,15-01-2024,15-03-2024,Basic,2,38,456,FALSE,FALSE,FALSE,TRUE,monthly,TRUE
S-2,A-1,01-03-2024,,Pro,2,98,1176,FALSE,FALSE,FALSE,FALSE,annual,FALSE
S-3,A-2,01-02-2024,01-04-2024,Pro,1,0,0,TRUE,FALSE,FALSE,FALSE,monthly,TRUE
S-4,A-2,05-04-2024,,Enterprise,1,199,2388,FALSE,FALSE,FALSE,TRUE,monthly,TRUE
""",
    "feature_usage": """usage_id,subscription_id,usage_date,feature_name,usage_count,usage_duration_secs,error_count,is_beta_feature
U-1,S-1,05-01-2024,f1,5,10,0,FALSE
U-2,S-1,12-01-2024,f1,5,10,0,FALSE
U-3,S-1,20-01-2024,f1,5,10,1,FALSE
U-3,S-2,20-01-2024,f1,2,10,3,TRUE
U-4,S-3,30-04-2024,f2,1,10,0,FALSE
U-5,S-9,30-04-2024,f2,1,10,0,FALSE
""",
    "support_tickets": """ticket_id,account_id,submitted_at,closed_at,resolution_time_hours,priority,first_response_time_minutes,satisfaction_score,escalation_flag
T-1,A-1,05-01-2024,06-01-2024 03:00,27,high,74,,FALSE
T-2,A-1,20-01-2024,20-01-2024 01:00,1,medium,90,4,TRUE
T-3,A-2,30-04-2024,01-05-2024 00:00,24,urgent,5,,FALSE
""",
    "churn_events": """churn_event_id,account_id,churn_date,reason_code
C-1,A-1,15-03-2024,pricing
C-2,A-2,20-04-2024,budget
""",
}


def write_source(folder: Path, **changed: str) -> Path:
    """Write the small source, with the files in *changed* instead."""
    folder.mkdir()
    for name, text in {**FILES, **changed}.items():
        (folder / f"ravenstack_{name}.csv").write_text(text, encoding="utf-8")
    return folder


def counted(report: ImportReport) -> dict[str, int]:
    """Return the findings as sentence and rows."""
    return {finding.what: finding.rows for finding in report.findings}


def test_every_contradiction_is_counted(tmp_path: Path) -> None:
    """Each kind that the small source has one of is found once, with the rows that were looked at."""
    report = run_import("ravenstack", write_source(tmp_path / "source"), tmp_path / "out")
    assert counted(report) == {
        "usage dated before the start of its own subscription": 3,
        "usage dated after the end of its own subscription": 1,
        "usage id that another row has too": 2,
        "more errors than uses": 1,
        "subscription that overlaps another one of its account": 2,
        "churn flag without an end date": 1,
        "end date without a churn flag": 1,
        "account with the churn flag set and a subscription that never ended": 1,
        "account with the churn flag set and no churn event": 0,
        "account with a churn event and the churn flag not set": 1,
        "churn event while a subscription of the account runs on": 2,
        "churn event with no subscription of the account ending within 30 days of it": 0,
        "ticket dated before its account signed up": 1,
        "ticket that was closed before its first response": 1,
    }
    assert {finding.of for finding in report.findings if "usage" in finding.source} == {6}
    assert all(finding.handling for finding in report.findings)


def test_what_can_not_have_happened_is_left_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    """Usage before the first subscription and tickets before sign-up go; all else stays."""
    report = run_import("ravenstack", write_source(tmp_path / "source"), tmp_path / "out")
    assert [(drop.source.removeprefix("ravenstack_"), drop.rows) for drop in report.drops] == [
        ("feature_usage.csv", 1),
        ("feature_usage.csv", 1),
        ("feature_usage.csv", 1),
        ("support_tickets.csv", 1),
        ("churn_events.csv", 2),
    ]
    con = connect(threads=1)
    usage = scan(con, tmp_path / "out", "feature_usage")
    assert usage is not None
    rows = usage.order_by("day").to_pyarrow().to_pylist()
    assert [(r["account_id"], r["day"], r["count"], r["errors"]) for r in rows] == [
        ("A-1", dt.date(2024, 1, 20), 7, 4),
        ("A-2", dt.date(2024, 4, 30), 1, 0),
    ]


def test_days_come_before_months_and_ends_after_the_data_are_not_known(tmp_path: Path) -> None:
    """dd-mm-yyyy is read as such; a ticket that closes after the last day is still open."""
    run_import("ravenstack", write_source(tmp_path / "source"), tmp_path / "out")
    con = connect(threads=1)
    subscriptions, tickets = (
        scan(con, tmp_path / "out", "subscriptions"),
        scan(con, tmp_path / "out", "support_tickets"),
    )
    assert subscriptions is not None
    assert tickets is not None
    ended = {r["subscription_id"]: r for r in subscriptions.to_pyarrow().to_pylist()}
    assert ended["S-2"]["started_at"] == dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
    assert (ended["S-1"]["end_reason"], ended["S-3"]["end_reason"]) == ("voluntary", None)
    assert ended["S-4"]["ended_at"] is None
    by_id = {r["ticket_id"]: r for r in tickets.to_pyarrow().to_pylist()}
    assert set(by_id) == {"T-2", "T-3"}
    assert by_id["T-2"]["priority"] == "normal"
    assert by_id["T-2"]["first_response_at"] == dt.datetime(2024, 1, 20, 1, 30, tzinfo=dt.UTC)
    assert by_id["T-3"]["closed_at"] is None


def test_dates_of_another_form_are_refused_by_number_and_example(tmp_path: Path) -> None:
    """Nothing is guessed: a month first, or an ISO date, stops the import."""
    changed = FILES["accounts"].replace("10-01-2024", "01/10/2024")
    with pytest.raises(ImportSourceError, match=r"1 values of signup_date .* '01/10/2024'"):
        run_import("ravenstack", write_source(tmp_path / "source", accounts=changed), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_importer_or_a_destination_in_the_source_is_refused(tmp_path: Path) -> None:
    """The known names are listed, and a source is never written into."""
    source = write_source(tmp_path / "source")
    with pytest.raises(ImportSourceError, match="known are churnsim, ravenstack"):
        run_import("salesforce", source, tmp_path / "out")
    with pytest.raises(ImportSourceError, match="within the source"):
        run_import("ravenstack", source, source / "out")
    with pytest.raises(ImportSourceError, match="no such folder"):
        run_import("ravenstack", tmp_path / "nowhere", tmp_path / "out")


@pytest.mark.shared_data
def test_the_real_data_set_becomes_tables_that_pass_the_check(tmp_path: Path, shared_data: Path) -> None:
    """The published set: 77 % of usage precedes its subscription, every row is written or accounted for."""
    report = run_import("ravenstack", shared_data / "ravenstack", tmp_path / "out")
    assert check(tmp_path / "out").errors == ()
    tables = {t.table: t.rows for t in report.tables}
    assert (tables["accounts"], tables["subscriptions"]) == (500, 5_000)
    tickets = sum(drop.rows for drop in report.drops if "support_tickets" in drop.source)
    assert tables["support_tickets"] + tickets == 2_000
    assert counted(report)["usage dated before the start of its own subscription"] == 19_142
    assert counted(report)["usage id that another row has too"] == 42
    assert sum(drop.rows for drop in report.drops if "feature_usage" in drop.source) == 14_216
    catalogue = load_catalogue(tmp_path / "out" / "catalogue.yaml")
    assert [plan.list_mrr(10) for plan in catalogue.plans] == [190, 490, 1990]
