"""The lines to paste show an account that may get an action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keepgrow.greeting import example_account, greet
from serving.decisions.holdouts import Holdouts

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
    """The curl lines hold the address and a real account id."""
    ids = tmp_path / "ids.txt"
    ids.write_text("acme-0001\n", encoding="utf-8")
    greet(
        "http://127.0.0.1:3000",
        world="mine",
        model="keepgrow:x",
        account_ids=ids,
        clock_start=None,
        seconds=1.0,
    )
    printed = capsys.readouterr().out
    assert "keepgrow:x on mine" in printed
    assert "curl -s http://127.0.0.1:3000/v1/accounts/acme-0001" in printed
