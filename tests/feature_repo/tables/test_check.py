"""The check finds each way of breaking the contract, counts it, and writes nothing."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from feature_repo.tables.breach import Breach, Rule, Severity
from feature_repo.tables.check import check
from tests.feature_repo.tables.folders import Rows, contents, good, write_csv, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Tables = dict[str, Rows]


def set_value(name: str, row: int, column: str, value: object) -> Callable[[Tables], None]:
    """Return a change that puts *value* into one cell."""

    def change(tables: Tables) -> None:
        tables[name][row][column] = value
        for other in tables[name]:
            other.setdefault(column, None)

    return change


def found(folder: Path, rule: Rule) -> list[Breach]:
    """Return the breaches of *rule* in *folder*."""
    return [breach for breach in check(folder).breaches if breach.rule is rule]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_folder_that_fits_has_no_errors(tmp_path: Path, form: str) -> None:
    """The good folder passes as CSV and as Parquet, with its rows counted and only absences warned of."""
    report = check(write_folder(tmp_path, good(), form=form))
    assert report.errors == ()
    assert report.ok
    assert {(t.name, t.rows) for t in report.tables} == {
        ("accounts", 2),
        ("subscriptions", 3),
        ("usage_daily", 3),
    }
    assert {breach.rule for breach in report.warnings} == {Rule.ABSENT_TABLE, Rule.ABSENT_COLUMNS}


CELLS = [
    (("accounts", 1, "account_id", ""), "account_id", Rule.NULL_KEY),
    (("subscriptions", 1, "plan", None), "plan", Rule.NULL),
    (("subscriptions", 1, "plan", "  "), "plan", Rule.NULL),
    (("subscriptions", 0, "seats", "many"), "seats", Rule.MISTYPED_VALUE),
    (("subscriptions", 0, "seats", "2.5"), "seats", Rule.MISTYPED_VALUE),
    (("subscriptions", 0, "started_at", "31-01-2024"), "started_at", Rule.MISTYPED_VALUE),
    (("subscriptions", 0, "started_at", "1700000000"), "started_at", Rule.MISTYPED_VALUE),
    (("usage_daily", 0, "day", "yesterday"), "day", Rule.MISTYPED_VALUE),
    (("accounts", 0, "consent_email", "perhaps"), "consent_email", Rule.MISTYPED_VALUE),
    (("usage_daily", 0, "value", "NaN"), "value", Rule.NOT_FINITE),
    (("usage_daily", 0, "value", "-inf"), "value", Rule.NOT_FINITE),
    (("subscriptions", 0, "seats", "NaN"), "seats", Rule.NOT_FINITE),
    (("usage_daily", 0, "value", -1.0), "value", Rule.UNDER_MINIMUM),
    (("subscriptions", 2, "seats", -1), "seats", Rule.UNDER_MINIMUM),
    (("subscriptions", 2, "discount_ratio", 1.5), "discount_ratio", Rule.OVER_MAXIMUM),
    (("usage_daily", 0, "metric", "Logins"), "metric", Rule.UNKNOWN_VALUE),
    (("subscriptions", 0, "end_reason", "bored"), "end_reason", Rule.UNKNOWN_VALUE),
    (("accounts", 0, "created_at", "1970-01-01"), "created_at", Rule.TIME_OUT_OF_RANGE),
    (("accounts", 0, "created_at", "2999-01-01"), "created_at", Rule.TIME_OUT_OF_RANGE),
    (("subscriptions", 2, "term_end_at", "9999-12-31"), "term_end_at", Rule.TIME_OUT_OF_RANGE),
    (("subscriptions", 2, "started_at", "2024-03-03"), "started_at", Rule.AFTER_END),
    (("subscriptions", 0, "ended_at", "2023-12-31"), "ended_at", Rule.WRONG_ORDER),
    (("usage_daily", 0, "account_id", "nobody"), "account_id", Rule.UNKNOWN_ACCOUNT),
    (("usage_daily", 0, "account_id", "A"), "account_id", Rule.UNKNOWN_ACCOUNT),
    (("accounts", 0, "timezone", "Berlin"), "timezone", Rule.TIME_ZONE),
    (("accounts", 1, "account_id", "é" * 129), "account_id", Rule.TOO_LONG),
]


@pytest.mark.parametrize(("cell", "column", "rule"), CELLS)
def test_one_bad_cell_is_one_breach_with_its_row_shown(
    tmp_path: Path, cell: tuple[str, int, str, Any], column: str, rule: Rule
) -> None:
    """Each kind of bad value is found in its column, counts one row, and is shown with the row's key."""
    tables = good()
    set_value(*cell)(tables)
    folder = write_folder(tmp_path, tables)
    (breach,) = [b for b in found(folder, rule) if b.column == column]
    assert (breach.table, breach.rows, breach.severity) == (cell[0], 1, Severity.ERROR)
    (example,) = breach.examples
    value = str(cell[3] or "").strip()
    assert value[:50] in example
    assert all(f"{name}=" in example for name in {"accounts": ["account_id"]}.get(cell[0], []))
    assert breach.sentence.endswith(".")


NUMERIC_CELLS = [c for c in CELLS if isinstance(c[0][3], int | float)]


@pytest.mark.parametrize(("cell", "column", "rule"), NUMERIC_CELLS)
def test_typed_columns_are_checked_as_text_is(
    tmp_path: Path, cell: tuple[str, int, str, Any], column: str, rule: Rule
) -> None:
    """A bad number in Parquet is found just as in CSV."""
    tables = good()
    set_value(*cell)(tables)
    (breach,) = [b for b in found(write_folder(tmp_path, tables, form="parquet"), rule) if b.column == column]
    assert breach.rows == 1


def test_nan_and_infinity_in_parquet_are_found(tmp_path: Path) -> None:
    """Numbers that are not finite are breaches in Parquet too, and are not over a maximum."""
    tables = good()
    tables["usage_daily"][0]["value"] = float("nan")
    tables["usage_daily"][1]["value"] = float("inf")
    write_folder(tmp_path, tables, form="parquet")
    (breach,) = found(tmp_path, Rule.NOT_FINITE)
    assert breach.rows == 2
    assert not found(tmp_path, Rule.OVER_MAXIMUM)


def test_numbers_as_text_that_can_be_read_are_no_breach(tmp_path: Path) -> None:
    """Numbers and times as text columns of a Parquet file are read as what they say."""
    write_folder(tmp_path, good())
    source = tmp_path / "usage_daily.csv"
    duckdb.connect().execute(
        f"COPY (FROM read_csv('{source}', all_varchar=true)) TO '{tmp_path / 'usage_daily.parquet'}'"
    )
    source.unlink()
    assert check(tmp_path).errors == ()


def test_a_column_of_the_wrong_type_is_one_breach(tmp_path: Path) -> None:
    """A column whose type can't hold its kind is named with the type that was found."""
    write_folder(tmp_path, good())
    (tmp_path / "accounts.csv").unlink()
    duckdb.connect().execute(
        "COPY (SELECT unnest(['a', 'b']) AS account_id, 1704067200 AS created_at, [1] AS employees) "
        f"TO '{tmp_path / 'accounts.parquet'}' (FORMAT parquet)"
    )
    breaches = {b.column: b for b in found(tmp_path, Rule.MISTYPED_COLUMN)}
    assert set(breaches) == {"created_at", "employees"}
    assert breaches["created_at"].rows == 2
    assert "INTEGER" in breaches["created_at"].sentence
    assert "UTC times" in breaches["created_at"].sentence


def test_an_optional_column_of_nothing_but_nulls_may_have_any_type(tmp_path: Path) -> None:
    """Writers that don't know the type of a column of nulls are not blamed for it."""
    write_folder(tmp_path, good())
    (tmp_path / "accounts.csv").unlink()
    duckdb.connect().execute(
        "COPY (SELECT unnest(['a', 'b']) AS account_id, TIMESTAMP '2024-01-01' AS created_at, "
        f"NULL::INTEGER AS onboarded_at) TO '{tmp_path / 'accounts.parquet'}' (FORMAT parquet)"
    )
    assert check(tmp_path).errors == ()


def test_rows_that_share_a_key_are_counted(tmp_path: Path) -> None:
    """All rows of a shared key count, the key is shown once with its number of rows."""
    tables = good()
    tables["usage_daily"] += [dict(tables["usage_daily"][0]), dict(tables["usage_daily"][0])]
    (breach,) = found(write_folder(tmp_path, tables), Rule.DUPLICATE_KEY)
    assert breach.rows == 3
    assert breach.examples == ("account_id='a', day=2024-03-01, metric='logins' (3 rows)",)


def test_the_same_day_in_two_spellings_is_the_same_key(tmp_path: Path) -> None:
    """Keys are compared after reading: a day and a time of that day in another zone are one day."""
    tables = good()
    tables["usage_daily"].append({**tables["usage_daily"][0], "day": "2024-02-29T23:30:00-03:00"})
    (breach,) = found(write_folder(tmp_path, tables), Rule.DUPLICATE_KEY)
    assert breach.rows == 2


def test_at_most_three_examples_are_shown_of_many_rows(tmp_path: Path) -> None:
    """The count is of all rows, the examples are three."""
    tables = good()
    tables["usage_daily"] = [
        {"account_id": "a", "day": f"2024-03-{day:02d}", "metric": "logins", "value": -1.0}
        for day in range(1, 21)
    ]
    (breach,) = found(write_folder(tmp_path, tables), Rule.UNDER_MINIMUM)
    assert breach.rows == 20
    assert len(breach.examples) == 3
    assert "day='2024-03-01'" in breach.examples[0]


@pytest.mark.parametrize("name", ["accounts", "subscriptions"])
def test_a_required_table_that_is_missing_is_an_error(tmp_path: Path, name: str) -> None:
    """Without accounts or subscriptions the folder can't be used, and the sentence says what to bring."""
    tables = good()
    del tables[name]
    (breach,) = found(write_folder(tmp_path, tables), Rule.MISSING_TABLE)
    assert (breach.table, breach.severity) == (name, Severity.ERROR)
    assert f"{name}.parquet" in breach.sentence


def test_without_any_usage_table_there_is_one_error(tmp_path: Path) -> None:
    """One of the usage tables is enough, none is an error."""
    tables = good()
    del tables["usage_daily"]
    (breach,) = found(write_folder(tmp_path, tables), Rule.MISSING_TABLE)
    assert "usage_daily or feature_usage" in breach.sentence
    write_csv(
        tmp_path, "feature_usage", [{"account_id": "a", "day": "2024-03-02", "feature_key": "x", "count": 1}]
    )
    assert check(tmp_path).errors == ()


def test_an_absent_optional_table_is_a_warning_that_says_what_is_lost(tmp_path: Path) -> None:
    """The warning names the features and models that go without the table."""
    breaches = {b.table: b for b in found(write_folder(tmp_path, good()), Rule.ABSENT_TABLE)}
    assert set(breaches) == {
        "feature_usage", "support_tickets", "invoices", "engagements", "incidents", "treatments",
    }  # fmt: skip
    assert all(b.severity is Severity.WARNING for b in breaches.values())
    assert "sentiment features" in breaches["support_tickets"].sentence
    assert "uplift" in breaches["treatments"].sentence


def test_a_missing_column_is_an_error_and_a_near_name_is_pointed_out(tmp_path: Path) -> None:
    """A column under another case is not taken silently, but named."""
    tables = good()
    tables["accounts"] = [
        {"Account_ID": r["account_id"], "created_at": r["created_at"]} for r in tables["accounts"]
    ]
    (breach,) = found(write_folder(tmp_path, tables), Rule.MISSING_COLUMN)
    assert (breach.table, breach.column, breach.rows) == ("accounts", "account_id", 2)
    assert "'Account_ID'" in breach.sentence


def test_columns_that_the_contract_does_not_know_are_only_named(tmp_path: Path) -> None:
    """Extra columns do no harm."""
    tables = good()
    for row in tables["accounts"]:
        row["favourite_colour"] = "blue"
    folder = write_folder(tmp_path, tables)
    (breach,) = found(folder, Rule.UNKNOWN_COLUMNS)
    assert (breach.column, breach.severity) == ("favourite_colour", Severity.WARNING)
    assert check(folder).ok


def test_an_empty_required_table_is_an_error_and_an_empty_optional_one_a_warning(tmp_path: Path) -> None:
    """A header without rows is a table without rows."""
    folder = write_folder(tmp_path, good())
    (folder / "invoices.csv").write_text("invoice_id,account_id,issued_at,due_at,amount\n")
    (folder / "subscriptions.csv").write_text("subscription_id,account_id,plan,seats,mrr,started_at\n")
    severities = {b.table: b.severity for b in found(folder, Rule.EMPTY_TABLE)}
    assert severities == {"invoices": Severity.WARNING, "subscriptions": Severity.ERROR}


def test_two_accounts_that_differ_by_case_are_a_warning(tmp_path: Path) -> None:
    """Ids that differ by case or blanks stay two accounts, and are pointed out."""
    tables = good()
    tables["accounts"] += [
        {"account_id": "A", "created_at": "2024-01-01"}, {"account_id": " b", "created_at": "2024-01-01"},
    ]  # fmt: skip
    for row in tables["accounts"]:
        row.pop("timezone", None), row.pop("employees", None)
    folder = write_folder(tmp_path, tables)
    (breach,) = found(folder, Rule.SIMILAR_ACCOUNTS)
    assert breach.rows == 4
    assert breach.examples == ("' b' and 'b'", "'A' and 'a'")
    assert check(folder).ok


def test_overlapping_periods_are_a_warning_and_adjacent_ones_are_not(tmp_path: Path) -> None:
    """A period that starts on the day the one before ends does not overlap it."""
    assert not found(write_folder(tmp_path / "adjacent", good()), Rule.OVERLAP)
    tables = good()
    tables["subscriptions"][1]["started_at"] = "2024-01-20"
    (breach,) = found(write_folder(tmp_path / "overlapping", tables), Rule.OVERLAP)
    assert (breach.rows, breach.severity) == (1, Severity.WARNING)
    assert "s2" in breach.examples[0]


def test_an_incident_of_an_unknown_account_is_found(tmp_path: Path) -> None:
    """Only incidents whose scope is an account are looked up in accounts."""
    folder = write_folder(tmp_path, good())
    rows = [
        {"incident_id": "1", "started_at": "2024-02-01", "scope": "account", "scope_id": "ghost"},
        {"incident_id": "2", "started_at": "2024-02-01", "scope": "region", "scope_id": "eu"},
        {"incident_id": "3", "started_at": "2024-02-01", "scope": "account", "scope_id": "a"},
    ]
    write_csv(folder, "incidents", rows)
    (breach,) = found(folder, Rule.UNKNOWN_ACCOUNT)
    assert (breach.table, breach.column, breach.rows) == ("incidents", "scope_id", 1)


def test_plans_that_the_catalogue_lacks_and_mixed_currencies_are_warnings(tmp_path: Path) -> None:
    """Both are pointed out by example and stop nothing."""
    tables = good()
    for row, currency in zip(tables["subscriptions"], ["EUR", None, "USD"], strict=True):
        row["currency"] = currency
    folder = write_folder(tmp_path, tables)
    (folder / "catalogue.yaml").write_text("version: 1\nplans:\n- {key: pro}\n")
    (plan,) = found(folder, Rule.UNKNOWN_PLAN)
    assert (plan.rows, plan.severity) == (1, Severity.WARNING)
    assert "plan='basic'" in plan.examples[0]
    (currency,) = found(folder, Rule.MIXED_CURRENCIES)
    assert currency.examples == ("USD (2 rows)", "EUR (1 rows)")
    assert check(folder).ok


def test_the_end_of_data_is_what_dataset_yaml_says(tmp_path: Path) -> None:
    """With an end_day, later usage is a breach; contract terms may lie after it."""
    tables = good()
    tables["subscriptions"][2]["term_end_at"] = "2025-01-01"
    for row in tables["subscriptions"]:
        row.setdefault("term_end_at", None)
    folder = write_folder(tmp_path, tables)
    assert check(folder).ok
    (folder / "dataset.yaml").write_text("end_day: 2024-03-01\n")
    (breach,) = found(folder, Rule.AFTER_END)
    assert (breach.table, breach.column, breach.rows) == ("usage_daily", "day", 2)
    assert "2024-03-01" in breach.sentence


def test_usage_after_today_is_a_breach_if_nothing_else_ends_the_data(tmp_path: Path) -> None:
    """A clock that runs ahead is found by the current day, which the caller gives."""
    folder = write_folder(tmp_path, good())
    report = check(folder, today=dt.date(2024, 3, 1))
    assert [(b.table, b.rows) for b in report.errors if b.rule is Rule.AFTER_END] == [("usage_daily", 2)]
    assert check(folder, today=dt.date(2024, 3, 2)).ok


def test_a_clock_in_another_time_zone_is_judged_in_utc(tmp_path: Path) -> None:
    """The last local evening west of Greenwich is the next UTC day, and so after the end of data."""
    tables = good()
    tables["accounts"][0]["created_at"] = "2024-03-02T23:00:00-05:00"
    tables["accounts"][1]["created_at"] = "2024-03-03T00:30:00+02:00"
    (breach,) = found(write_folder(tmp_path, tables), Rule.AFTER_END)
    assert breach.rows == 1
    assert "account_id='a'" in breach.examples[0]
    assert "another time zone" in breach.sentence


def test_emoji_and_quotes_in_names_are_nothing_special(tmp_path: Path) -> None:
    """Names may hold any text, line breaks included."""
    tables = good()
    tables["accounts"][0]["account_name"] = 'Zoë 🎉 "Ltd",\nOslo; DROP TABLE'
    tables["accounts"][1]["account_name"] = "株式会社"
    assert check(write_folder(tmp_path, tables)).ok


def test_control_characters_of_a_bad_value_do_not_reach_the_report(tmp_path: Path) -> None:
    """An example never carries an escape sequence to the terminal, and long values are cut."""
    tables = good()
    tables["usage_daily"][0]["metric"] = "\x1b[31m" + "x" * 500
    (breach,) = found(write_folder(tmp_path, tables), Rule.UNKNOWN_VALUE)
    assert "\x1b" not in breach.examples[0]
    assert len(breach.examples[0]) < 200


def test_all_breaches_are_reported_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    """One run names everything that is wrong and leaves every byte and time stamp as it was."""
    tables = good()
    for cell in (
        ("accounts", 0, "timezone", "Mars"),
        ("subscriptions", 0, "seats", -3),
        ("usage_daily", 0, "metric", "x"),
    ):
        set_value(*cell)(tables)
    folder = write_folder(tmp_path / "data", tables)
    before = contents(tmp_path)
    report = check(folder)
    assert {b.rule for b in report.errors} == {Rule.TIME_ZONE, Rule.UNDER_MINIMUM, Rule.UNKNOWN_VALUE}
    assert contents(tmp_path) == before
