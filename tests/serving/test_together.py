"""Questions of one turn of the event loop are asked together, and each gets its own answer or fault."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from serving.errors import StoreUnavailable
from serving.features.errors import StoreFormatError
from serving.together import MOST_TOGETHER, Together

if TYPE_CHECKING:
    from collections.abc import Sequence


class Asked:
    """Answers with the account's name in capitals, and remembers who was asked about with whom."""

    def __init__(self) -> None:
        self.parts: list[list[str]] = []

    async def __call__(self, account_ids: Sequence[str]) -> list[str]:
        """Answer, or fail as the names say."""
        self.parts.append(list(account_ids))
        await asyncio.sleep(0)
        if "gone" in account_ids:
            raise StoreUnavailable("the store is gone")
        if "odd" in account_ids:
            raise StoreFormatError("odd", "usage:logins", "Float64", b"x")
        return [account_id.upper() for account_id in account_ids]


async def test_those_of_one_turn_are_asked_together_and_get_their_own() -> None:
    """Up to 16 questions share one call, the rest the next, and nobody gets another's answer."""
    asked = Asked()
    together = Together(asked)
    names = [f"a{number}" for number in range(MOST_TOGETHER + 3)]
    assert await asyncio.gather(*map(together.ask, names)) == [name.upper() for name in names]
    assert asked.parts == [names[:MOST_TOGETHER], names[MOST_TOGETHER:]]


async def test_a_question_alone_goes_at_once() -> None:
    """Questions that do not overlap are calls of their own; nobody waits for company."""
    asked = Asked()
    together = Together(asked)
    assert [await together.ask("a"), await together.ask("b")] == ["A", "B"]
    assert asked.parts == [["a"], ["b"]]


async def test_one_accounts_fault_is_not_the_others() -> None:
    """When a call fails for one account, every account is asked about alone, and only that one fails."""
    together = Together(Asked(), (StoreUnavailable,))
    results = await asyncio.gather(*map(together.ask, ("a", "odd", "b")), return_exceptions=True)
    assert [results[0], results[2]] == ["A", "B"]
    assert isinstance(results[1], StoreFormatError)


async def test_a_fault_of_the_store_is_told_to_all_and_not_tried_again() -> None:
    """When the store is gone nobody is asked about twice: that would only add to the wait."""
    asked = Asked()
    together = Together(asked, (StoreUnavailable,))
    results = await asyncio.gather(*map(together.ask, ("a", "gone")), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 2
    assert len(asked.parts) == 1


async def test_accounts_of_different_servers_are_asked_about_apart() -> None:
    """Those of one server share a call, and the fault of another server's accounts is not theirs."""
    asked = Asked()
    together = Together(asked, (StoreUnavailable,), lambda account_id: account_id == "gone")
    results = await asyncio.gather(*map(together.ask, ("a", "gone", "b")), return_exceptions=True)
    assert [results[0], results[2]] == ["A", "B"]
    assert isinstance(results[1], StoreUnavailable)
    assert sorted(asked.parts) == [["a", "b"], ["gone"]]


async def test_who_goes_away_does_not_disturb_the_others() -> None:
    """A cancelled question leaves the others their answers."""
    together = Together(Asked())
    leaving, staying = (asyncio.ensure_future(together.ask(name)) for name in ("a", "b"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "B"
    with pytest.raises(asyncio.CancelledError):
        await leaving
