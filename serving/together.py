"""Asks about single accounts together: those of one turn of the event loop share one read and one call.

Nobody waits for company: a question that comes alone goes at once. Under load a read, a call of the graph and
the code around them find their data in the processor's caches for the second account and all that follow,
which measures half the processor time of a request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

MOST_TOGETHER: Final = 16
Answer = TypeVar("Answer")


class Together(Generic[Answer]):
    """Gathers questions of one turn of the event loop."""

    def __init__(
        self,
        ask: Callable[[Sequence[str]], Awaitable[Sequence[Answer]]],
        shared_faults: tuple[type[Exception], ...] = (),
    ) -> None:
        """Gather for *ask*, which returns as many answers as it is given accounts, in their order.

        Args:
            ask: The question.
            shared_faults: What concerns all who asked; after anything else each account is asked alone.
        """
        self._ask = ask
        self._shared_faults = shared_faults
        self._waiting: list[tuple[str, asyncio.Future[Answer]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, account_id: str) -> Answer:
        """Return the answer about *account_id*; raises whatever the question of it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._go)
        self._waiting.append((account_id, future))
        return await future

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST_TOGETHER):
            task = asyncio.get_running_loop().create_task(
                self._answer(waiting[start : start + MOST_TOGETHER])
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, questions: list[tuple[str, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._ask([account_id for account_id, _ in questions])
        except asyncio.CancelledError:
            for _, future in questions:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- it goes to those who asked
            if len(questions) == 1 or isinstance(error, self._shared_faults):
                _fail(questions, error)
                return
            for question in questions:  # one account's fault is not the others'
                await self._answer([question])
        else:
            for (_, future), answer in zip(questions, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


def _fail(questions: list[tuple[str, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, future in questions:
        if not future.done():
            future.set_exception(error)
