"""`keepgrow catalogue check` prints every fault and says by its exit code whether there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from typer.testing import CliRunner

from keepgrow.catalogue import catalogue_app
from tests.serving.decisions.frames import document

if TYPE_CHECKING:
    from pathlib import Path


def test_the_packaged_catalogue_is_sound() -> None:
    """Without a file the packaged one is checked, and its actions are listed."""
    result = CliRunner().invoke(catalogue_app, ["check"])
    assert result.exit_code == 0
    assert "16 actions; nothing contradicts itself" in result.output


def test_all_faults_are_printed_in_one_go(tmp_path: Path) -> None:
    """Each on a line with the file's name, then how many; the exit code is 1."""
    path = tmp_path / "mine.yaml"
    content = document()
    content["price_bands"] = [
        {"item": "team", "floor": 130, "ceiling": 120},
        {"item": "gold", "floor": 1, "ceiling": 2},
    ]
    content["bundles"] = [{"key": "b", "name": "B", "add_ons": ["x", "y"], "excludes": ["x"]}]
    path.write_text(yaml.safe_dump(content))
    result = CliRunner().invoke(catalogue_app, ["check", str(path)])
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines[:-1])
    assert lines[-1] == f"{len(lines) - 1} faults"
    for says in ("above the ceiling", "no such plan", "excludes its own part", "no add-on"):
        assert says in result.output
