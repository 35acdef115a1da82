"""Tables that feed opt-in views: nobody misses them, and what is wrong in them is found as in any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from feature_repo.tables.breach import Breach, Rule, Severity
from feature_repo.tables.check import check
from feature_repo.tables.registry import TABLES
from tests.feature_repo.tables.folders import Rows, good, write_folder

if TYPE_CHECKING:
    from pathlib import Path

OPT_IN = [table.name for table in TABLES if table.opt_in]
UPDATE: dict[str, Any] = {
    "update_id": "u1",
    "account_id": "a",
    "known_at": "2024-02-01T10:00:00Z",
    "stage": "evaluation",
    "approval": None,
    "budget_starts_on": "2030-01-01",
    "budget_months": 12,
}
SIGNAL: dict[str, Any] = {
    "signal_id": "s1",
    "known_at": "2024-02-01T10:00:00Z",
    "kind": "market",
    "scope": "all",
    "scope_id": None,
    "level": -0.5,
    "effective_on": "2030-01-01",
    "source": "somebody",
}


def tables(update: dict[str, Any] | None = None, signal: dict[str, Any] | None = None) -> dict[str, Rows]:
    """Return tables that fit the contract but for what is given."""
    made = good()
    for account, segment in zip(made["accounts"], ("smb", "enterprise"), strict=True):
        account["segment"] = segment
    return made | {
        "procurement_updates": [UPDATE | (update or {})],
        "external_signals": [SIGNAL | (signal or {})],
    }


def about(folder: Path) -> list[Breach]:
    """Return the breaches of the opt-in tables."""
    return [breach for breach in check(folder).breaches if breach.table in OPT_IN]


def test_nobody_misses_an_opt_in_table(tmp_path: Path) -> None:
    """There is no warning of a table that only trainings which ask for it read, as there is of others."""
    report = check(write_folder(tmp_path, good()))
    absent = {breach.table for breach in report.breaches if breach.rule is Rule.ABSENT_TABLE}
    assert OPT_IN == ["procurement_updates", "external_signals"]
    assert "engagements" in absent
    assert not absent & set(OPT_IN)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_dates_to_come_fit_and_times_of_knowledge_do_not_lie_in_the_future(tmp_path: Path, form: str) -> None:
    """A budget or a law may begin after the end of data; that it is known already may not."""
    assert about(write_folder(tmp_path / "good", tables(), form=form)) == []
    late = tables({"known_at": "2030-01-01"}, {"known_at": "2030-01-01"})
    found = about(write_folder(tmp_path / "late", late, form=form))
    assert [(one.table, one.column, one.rule) for one in found] == [
        (name, "known_at", Rule.AFTER_END) for name in OPT_IN
    ]


@pytest.mark.parametrize(
    ("update", "signal", "column", "rule", "severity"),
    [
        ({"stage": "Evaluation"}, {}, "stage", Rule.UNKNOWN_VALUE, Severity.ERROR),
        ({"budget_months": 0}, {}, "budget_months", Rule.UNDER_MINIMUM, Severity.ERROR),
        ({"account_id": "nobody"}, {}, "account_id", Rule.UNKNOWN_ACCOUNT, Severity.ERROR),
        ({}, {"level": 1.5}, "level", Rule.OVER_MAXIMUM, Severity.ERROR),
        ({}, {"kind": "weather"}, "kind", Rule.UNKNOWN_VALUE, Severity.ERROR),
        ({}, {"scope": "account", "scope_id": "nobody"}, "scope_id", Rule.UNKNOWN_ACCOUNT, Severity.ERROR),
        ({}, {"scope": "segment", "scope_id": "SMB"}, "scope_id", Rule.UNMATCHED_SCOPE, Severity.WARNING),
        ({}, {"scope": "region", "scope_id": "emea"}, "scope_id", Rule.UNMATCHED_SCOPE, Severity.WARNING),
        ({}, {"scope": "segment", "scope_id": None}, "scope_id", Rule.UNMATCHED_SCOPE, Severity.WARNING),
    ],
)
def test_what_is_wrong_is_found(
    tmp_path: Path,
    update: dict[str, Any],
    signal: dict[str, Any],
    column: str,
    rule: Rule,
    severity: Severity,
) -> None:
    """A value that is not of the contract is an error; a signal that concerns nobody is a warning."""
    (found,) = about(write_folder(tmp_path, tables(update, signal)))
    assert (found.column, found.rule, found.rows, found.severity) == (column, rule, 1, severity)


@pytest.mark.parametrize("scope", [("segment", "smb"), ("account", "b"), ("all", None)])
def test_a_signal_that_concerns_somebody_is_no_breach(tmp_path: Path, scope: tuple[str, str | None]) -> None:
    """A segment that an account has, an account, and all."""
    named = {"scope": scope[0], "scope_id": scope[1]}
    assert about(write_folder(tmp_path, tables(signal=named))) == []
