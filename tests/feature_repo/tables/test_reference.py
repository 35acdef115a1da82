"""The reference page of the tables says what the contract says."""

from __future__ import annotations

from pathlib import Path

from feature_repo.tables.reference import render
from feature_repo.tables.registry import TABLES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "tables.md"


def test_the_page_is_current() -> None:
    """`docs/reference/tables.md` is what the contract renders to; the page's opening says how to renew it."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_every_column_of_every_table_is_on_the_page() -> None:
    """No column is left undocumented."""
    text = render()
    for contract in TABLES:
        section = text.split(f"## `{contract.name}`\n")[1].split("\n## ")[0]
        for column in contract.columns:
            assert f"| `{column.name}`" in section
            assert column.meaning in section
