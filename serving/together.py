"""Asks about single accounts together: those of one turn of the event loop share one read and one call.

Nobody waits for company: a question that comes alone goes at once. Under load a read, a call of the graph and
the code around them find their data in the processor's caches for the second account and all that follow,
which measures half the processor time of a request. Only accounts that one server of the store holds are asked
about together: one that hangs neither fails nor delays the accounts of the others.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence

MOST_TOGETHER: Final = 16
Answer = TypeVar("Answer")
_Question: TypeAlias = "tuple[str, asyncio.Future[Answer]]"


class Together(Generic[Answer]):
    """Gathers questions of one turn of the event loop."""

    def __init__(
        self,
        ask: Callable[[Sequence[str]], Awaitable[Sequence[Answer]]],
        shared_faults: tuple[type[Exception], ...] = (),
        holder: Callable[[str], Hashable] | None = None,
    ) -> None:
        """Gather for *ask*, which returns as many answers as it is given accounts, in their order.

        Args:
            ask: The question.
            shared_faults: What concerns all who asked; after anything else each account is asked alone.
            holder: Who holds an account, where there are several; those of one share an answer's fate.
        """
        self._ask = ask
        self._shared_faults = shared_faults
        self._holder = holder
        self._waiting: list[_Question[Answer]] = []
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
        for fellows in (waiting,) if self._holder is None else self._by_holder(waiting, self._holder):
            for start in range(0, len(fellows), MOST_TOGETHER):
                task = asyncio.get_running_loop().create_task(
                    self._answer(fellows[start : start + MOST_TOGETHER])
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _by_holder(
        self, waiting: list[_Question[Answer]], holder: Callable[[str], Hashable]
    ) -> Iterable[list[_Question[Answer]]]:
        groups: dict[Hashable, list[_Question[Answer]]] = {}
        for question in waiting:
            groups.setdefault(holder(question[0]), []).append(question)
        return groups.values()

    async def _answer(self, questions: list[_Question[Answer]]) -> None:
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


def _fail(questions: list[_Question[Answer]], error: Exception) -> None:
    for _, future in questions:
        if not future.done():
            future.set_exception(error)
