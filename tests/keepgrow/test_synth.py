"""The `keepgrow synth` command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from feature_repo.tables.dataset import load_dataset_info
from keepgrow.synth import synth
from training.synthetic.settings import SyntheticWorldError

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def _run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(synth)
    return CliRunner().invoke(app, list(arguments))


def test_synth_makes_a_world_and_says_what_is_in_it(tmp_path: Path) -> None:
    """The command makes the folder for the day that was asked for, and lists the rows of every table."""
    result = _run(
        "--accounts", "5", "--days", "30", "--seed", "1", "--end", "2025-12-31", str(tmp_path / "world")
    )
    assert result.exit_code == 0, result.output
    assert "usage_daily" in result.output
    assert "truth/hazards" in result.output
    assert str(load_dataset_info(tmp_path / "world").end_day) == "2025-12-31"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--accounts", "0", "accounts is 0"),
        ("--days", "-3", "days is -3"),
        ("--end", "June", "--end is 'June'"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(tmp_path: Path, option: str, value: str, said: str) -> None:
    """The error names the argument and what would be right, and nothing is made."""
    result = _run(option, value, str(tmp_path / "world"))
    assert isinstance(result.exception, SyntheticWorldError)
    assert said in str(result.exception)
    assert "should be" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
