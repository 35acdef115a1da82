"""The lines to paste show an account that may get an action."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlalchemy as sa

from keepgrow.example import Example, example
from keepgrow.greeting import example_account, greet
from serving.bundle.store import find_bundle
from serving.decisions.holdouts import Holdouts
from serving.ledger.database import Database
from serving.ledger.tables import ENTRIES
from tests.serving.conftest import world
from tests.serving.test_service import environment
from tests.serving.world import IDLE, account_ids

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.serving.conftest import World

__all__ = ["world"]
HALF = Holdouts(salt="test", share=0.5)


def test_the_example_is_the_first_account_that_is_not_held_out() -> None:
    """With half of all accounts held out, some come before it, and all of those are."""
    ids = [f"acme-{number}" for number in range(50)]
    found = [example_account(ids[start:], HALF) for start in range(40)]
    assert set(found) != set(ids[:40])
    for start, account in enumerate(found):
        before = ids[start : ids.index(account)]
        assert not HALF.of(account)
        assert all(HALF.of(other) for other in before)


def test_without_another_the_first_has_to_do() -> None:
    """All are held out, or there are none."""
    everybody = Holdouts(salt="test", share=0.999999)
    assert example_account(["acme", "zeta"], everybody) == "acme"
    assert example_account([], HALF) == ""


def test_the_greeting_names_address_model_and_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The curl lines hold the address and a real account id, also where nobody can say what that account gets."""
    ids = tmp_path / "ids.txt"
    ids.write_text("acme-0001\n", encoding="utf-8")
    greet(
        "http://127.0.0.1:3000",
        world="mine",
        model="keepgrow:x",
        account_ids=ids,
        clock_start=None,
        seconds=1.0,
        env={"KEEPGROW_MODEL": "keepgrow:nothing"},
    )
    printed = capsys.readouterr().out
    assert "keepgrow:x on mine" in printed
    assert "curl -s http://127.0.0.1:3000/v1/accounts/acme-0001" in printed
    assert "now." not in printed


def test_the_greeting_shows_an_account_that_gets_an_action(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], world: World
) -> None:
    """Accounts that get nothing come first in the file; the lines show one that the service proposes something to."""
    ids, ledger = tmp_path / "ids.txt", tmp_path / "ledger.db"
    ids.write_text("".join(f"{name}\n" for name in ("nobody", IDLE, *account_ids()[:-1])), encoding="utf-8")
    env = {**environment(world), "LEDGER_URL": f"sqlite:///{ledger}", "KEEPGROW_CATALOGUE": ""}
    greet("http://x", world="w", model="m", account_ids=ids, clock_start=None, seconds=1.0, env=env)
    printed = capsys.readouterr().out
    found = re.search(r'"account_id": "(\S+)", "surface": "(\S+)"\}', printed)
    told = re.search(r"On (\S+) it gets (\S+) now", printed)
    assert found is not None
    assert told is not None
    assert (found[2], found[1] not in {"nobody", IDLE}) == (told[1], True)
    database = Database(env["LEDGER_URL"])
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(ENTRIES)).scalar() == 0
    database.close()


async def test_with_no_action_for_anybody_the_first_account_is_shown(world: World, tmp_path: Path) -> None:
    """Where nobody gets anything the example says so, and of no accounts there is none."""
    settings = world.settings(ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}")
    bundle = find_bundle(world.tag, world.home / "models")
    assert await example(settings, ["nobody", IDLE], bundle) == Example("nobody", "in_app", None)
    assert await example(settings, [], bundle) is None
