"""The world as a whole: contract, determinism, folders, refusals."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
import yaml

from feature_repo.tables.check import check
from feature_repo.tables.dataset import load_dataset_info
from feature_repo.tables.registry import TABLES
from serving.decisions.catalogue import load_catalogue
from tests.training.synthetic.conftest import SMALL, read_table
from training.synthetic.plans import PLANS
from training.synthetic.settings import SyntheticWorldError, WorldReport, WorldSettings
from training.synthetic.world import generate
from training.synthetic.writing import contract_schema

if TYPE_CHECKING:
    from pathlib import Path

TINY = WorldSettings(accounts=12, days=40, seed=3, truth_paths=2)
MADE = [table.name for table in TABLES if not table.opt_in]
"""Tables of the world; it has none that only trainings which ask for them read."""
EVERY_TABLE = [
    *MADE,
    "truth/hazards",
    "truth/treatment_effects",
]


def test_the_world_fits_the_raw_table_contract(small_report: WorldReport) -> None:
    """The contract's check finds nothing wrong with a synthetic world."""
    assert check(small_report.dest).breaches == ()


@pytest.mark.parametrize("name", MADE)
def test_tables_have_the_contracts_columns_and_types(small_report: WorldReport, name: str) -> None:
    """Each part file has exactly the columns of the contract, in its order and in the type that it names."""
    parts = sorted((small_report.dest / name).glob("*.parquet"))
    assert parts
    for part in parts:
        assert pq.read_schema(part).equals(contract_schema(name))
    assert sum(pq.read_metadata(part).num_rows for part in parts) == small_report.rows[name] > 0


def test_equal_settings_make_equal_tables(small_report: WorldReport, tmp_path: Path) -> None:
    """A second world of the same settings has the same rows in the same order, truth included."""
    again = generate(SMALL, tmp_path / "again")
    for name in EVERY_TABLE:
        assert read_table(small_report.dest, name).equals(read_table(again.dest, name)), name


def test_the_size_of_parts_changes_files_but_no_row(small_report: WorldReport, tmp_path: Path) -> None:
    """Accounts a part file decide how many files there are and nothing else."""
    whole = generate(dataclasses.replace(SMALL, part_accounts=500), tmp_path / "whole")
    assert len(list((small_report.dest / "usage_daily").iterdir())) == 2
    assert len(list((whole.dest / "usage_daily").iterdir())) == 1
    for name in EVERY_TABLE:
        assert read_table(small_report.dest, name).equals(read_table(whole.dest, name)), name


def test_a_block_does_not_depend_on_the_accounts_after_it(small_report: WorldReport, tmp_path: Path) -> None:
    """The first 250 accounts are the same whether or not others follow."""
    first = generate(dataclasses.replace(SMALL, accounts=250), tmp_path / "first")
    for name in (
        "accounts",
        "subscriptions",
        "usage_daily",
        "support_tickets",
        "treatments",
        "truth/hazards",
    ):
        part = pq.read_table(small_report.dest / name / "part-00000.parquet")
        assert part.equals(read_table(first.dest, name)), name


def test_another_seed_makes_another_world(tmp_path: Path) -> None:
    """Worlds of two seeds differ."""
    one = generate(TINY, tmp_path / "one")
    other = generate(dataclasses.replace(TINY, seed=4), tmp_path / "other")
    assert not read_table(one.dest, "usage_daily").equals(read_table(other.dest, "usage_daily"))


def test_the_data_folder_says_that_it_is_synthetic(small_report: WorldReport) -> None:
    """`dataset.yaml` holds the flag, the last day and the order of plans."""
    info = load_dataset_info(small_report.dest)
    assert info.synthetic
    assert info.end_day == SMALL.end
    assert info.plan_order == tuple(plan.key for plan in PLANS)


def test_the_catalogue_has_the_plans_of_the_tables(small_report: WorldReport) -> None:
    """`catalogue.yaml` is a catalogue for serving, and prices an account as its subscription does."""
    catalogue = load_catalogue(small_report.dest / "catalogue.yaml")
    rows = read_table(small_report.dest, "subscriptions").to_pylist()
    assert {row["plan"] for row in rows} <= set(catalogue.plans_by_key)
    for row in rows:
        assert catalogue.plans_by_key[row["plan"]].list_mrr(row["seats"]) == row["list_mrr"]
    assert yaml.safe_load((small_report.dest / "catalogue.yaml").read_text())["currency"] == "USD"


def test_the_truth_lies_outside_the_raw_tables(small_report: WorldReport) -> None:
    """No raw table has a column of the truth, and the truth's page says what it is for."""
    raw = {column.name for table in TABLES for column in table.columns}
    for name in ("hazards", "treatment_effects"):
        columns = set(read_table(small_report.dest, f"truth/{name}").column_names)
        assert columns & raw <= {"account_id", "treatment_id", "action"}
    page = (small_report.dest / "truth" / "README.md").read_text(encoding="utf-8")
    assert "synthetic" in page
    assert "may be used for training" in page


def test_progress_is_told_up_to_the_last_account(tmp_path: Path) -> None:
    """The callback hears a stage, what is done and how much there is, up to all of it."""
    heard: list[tuple[str, int, int]] = []
    generate(TINY, tmp_path / "world", lambda *said: heard.append(said))
    assert heard[0][1:] == (0, 12)
    assert heard[-1][1:] == (12, 12)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accounts", 0),
        ("accounts", -5),
        ("days", -1),
        ("days", 0),
        ("seed", -1),
        ("part_accounts", 300),
        ("truth_paths", 3),
    ],
)
def test_senseless_settings_are_refused_by_name(field: str, value: int) -> None:
    """The error names the setting, its value and what would be right."""
    with pytest.raises(SyntheticWorldError, match=f"{field} is {value}: .*should be"):
        dataclasses.replace(TINY, **{field: value})


def test_other_content_is_not_replaced(tmp_path: Path) -> None:
    """A folder that holds something else is refused and left alone, unless it is forced."""
    dest = tmp_path / "mine"
    dest.mkdir()
    (dest / "notes.txt").write_text("keep")
    with pytest.raises(SyntheticWorldError, match="--force"):
        generate(TINY, dest)
    assert (dest / "notes.txt").read_text() == "keep"
    generate(TINY, dest, force=True)
    assert not (dest / "notes.txt").exists()
    assert (dest / "dataset.yaml").exists()


def test_a_synthetic_world_is_replaced_but_not_what_was_put_into_it(tmp_path: Path) -> None:
    """Making a world again replaces the old one; with a file of somebody else in it, it is refused."""
    dest = tmp_path / "world"
    generate(TINY, dest)
    generate(dataclasses.replace(TINY, seed=9), dest)
    assert load_dataset_info(dest).name.endswith("seed9")
    (dest / "notes.txt").write_text("keep")
    with pytest.raises(SyntheticWorldError, match="not a synthetic world"):
        generate(TINY, dest)


@pytest.mark.parametrize("place", ["file", "link", "current"])
def test_places_that_can_not_become_a_world_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A file, a link and the current folder are refused even if forced."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    monkeypatch.chdir(tmp_path / "folder")
    dest = tmp_path / ("folder" if place == "current" else place)
    with pytest.raises(SyntheticWorldError):
        generate(TINY, dest, force=True)
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("before", [True, False])
def test_an_interruption_leaves_nothing_half_made(tmp_path: Path, *, before: bool) -> None:
    """Ctrl-C in the middle leaves the destination as it was, and no folder beside it."""
    dest = tmp_path / "world"
    if before:
        generate(TINY, dest)

    def interrupt(_stage: str, done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(dataclasses.replace(TINY, seed=8), dest, interrupt)
    assert [entry.name for entry in tmp_path.iterdir()] == (["world"] if before else [])
    if before:
        assert load_dataset_info(dest).name.endswith("seed3")
