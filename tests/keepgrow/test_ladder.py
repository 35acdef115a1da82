"""`keepgrow ladder` shows where actions stand, and moves them only as the ledger allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner, Result

from keepgrow.__main__ import build_app
from serving.ledger.database import Database
from serving.ledger.schema import migrate
from tests.serving.autonomy.weeks import KEY, World, policy_of

if TYPE_CHECKING:
    from pathlib import Path


class Commands:
    """A ledger, and the commands on it as of its own time."""

    def __init__(self, folder: Path) -> None:
        """Make the ledger."""
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        database = Database(self.url, sync="normal")
        migrate(database)
        self.world = World(database, policy_of(start="suggest"))
        self.policy = folder / "policy.yaml"

    def run(self, *words: str) -> Result:
        """Return what `keepgrow ladder` answers."""
        self.policy.write_text(yaml.safe_dump(self.world.document.model_dump(mode="json")))
        told = ("--ledger", self.url, "--policy", str(self.policy))
        at = ("--at", self.world.now.strftime("%Y-%m-%dT%H:%M:%S"))
        return CliRunner(env={"COLUMNS": "200"}).invoke(build_app("ladder"), ["ladder", *words, *told, *at])


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return commands on an empty ledger."""
    return Commands(tmp_path)


def test_every_action_is_shown_with_what_it_lacks(commands: Commands) -> None:
    """A ratio has its interval and its limit; a level that nobody has recorded is told as a start."""
    commands.world.decide("first")
    commands.world.live(7.01)
    shown = commands.run("show")
    assert shown.exit_code == 0, shown.output
    line = next(line for line in shown.output.splitlines() if f" {KEY} " in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        KEY, "suggest (start)", "unattended", "1 of 2", "5", "0", "0", "weeks",
    ]  # fmt: skip
    validity = next(line for line in shown.output.splitlines() if KEY in line and "validity" in line)
    assert "100.0%" in validity
    assert "56.6% to 100.0%" in validity
    assert ">= 98.0%" in validity


def test_one_action_is_shown_week_by_week(commands: Commands) -> None:
    """Its counts, every figure also of nothing, and each thing that it lacks; no other action."""
    commands.world.decide("first")
    made = commands.world.live(7)
    commands.world.applied(made[0], undone=True)
    commands.world.live(7.01)
    shown = commands.run("show", KEY)
    assert shown.exit_code == 0, shown.output
    first = next(line for line in shown.output.splitlines() if "2026-03-02" in line)
    assert [cell.strip() for cell in first.split("│")[1:-1]] == [
        "1", "2026-03-02", "5", "5", "0", "0", "0", "1", "1", "6 of 6",
    ]  # fmt: skip
    assert "complaint" in shown.output
    assert "week 1: reversal is 100.0% (1 of 1); it should be at most 5.0%" in shown.output
    assert "renewal_offer" not in shown.output


def test_a_promotion_that_is_refused_tells_every_reason(commands: Commands) -> None:
    """The exit code is 1, the table names figure and week, and nothing is changed."""
    commands.world.decide("first")
    made = commands.world.live(7.01)
    commands.world.happens(made[0], "complained")
    refused = commands.run("promote", KEY, "--by", "ann")
    assert refused.exit_code == 1
    assert f"{KEY} stays at suggest" in refused.output
    assert "it has been at suggest for 1 whole weeks of 2" in refused.output
    assert "week 1: complaint is 100.0% (1 of 1); it should be at most 1.0%" in refused.output
    assert "suggest (start)" in commands.run("show").output


def test_an_action_is_promoted_and_demoted(commands: Commands) -> None:
    """By the named person, up by one level after the weeks, down with a reason at once."""
    commands.world.decide("first")
    commands.world.live(14.01)
    promoted = commands.run("promote", KEY, "--by", "ann")
    assert promoted.exit_code == 0, promoted.output
    assert f"{KEY} went from suggest to one_click, by ann" in promoted.output
    assert commands.run("promote", KEY, "--by", "ann").exit_code == 1
    demoted = commands.run("demote", KEY, "--to", "shadow", "--by", "bob", "--reason", "it was wrong")
    assert f"{KEY} went from one_click to shadow, by bob" in demoted.output
    again = commands.run("demote", KEY, "--to", "suggest", "--by", "bob", "--reason", "up by the back door")
    assert again.exit_code != 0
    assert "name a level below that" in str(again.exception)


def test_what_broke_a_limit_falls_only_if_that_is_asked_for(commands: Commands) -> None:
    """Without the flag it is told, with exit code 1; with it, it falls by one level, once."""
    commands.world.document = policy_of(start="one_click")
    commands.world.decide("first")
    made = commands.world.live(7.01)
    fine = commands.run("evaluate")
    assert (fine.exit_code, fine.output.strip()) == (0, "no action has broken a limit")
    commands.world.happens(made[0], "complained")
    told = commands.run("evaluate")
    assert told.exit_code == 1
    assert f"{KEY} has broken a limit at one_click: week 1: complaint is 100.0%" in told.output
    fallen = commands.run("evaluate", "--apply-demotions")
    assert f"{KEY} went from one_click to suggest" in fallen.output
    assert commands.run("evaluate", "--apply-demotions").exit_code == 0


def test_an_action_that_the_catalogue_lacks_is_told(commands: Commands) -> None:
    """A slip of the pen names the actions that there are; so does a level that is none."""
    unknown = commands.run("promote", "sucess_call", "--by", "ann")
    assert unknown.exit_code != 0
    assert KEY in str(unknown.exception)
    wrong = commands.run("demote", KEY, "--to", "unattended", "--by", "ann", "--reason", "x")
    assert wrong.exit_code == 2
    assert "is no level to fall to" in wrong.output
