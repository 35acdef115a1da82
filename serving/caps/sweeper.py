"""Gives back, every few seconds, what was reserved and not shown in time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import structlog

from serving.errors import StoreUnavailable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from serving.caps.keeper import CapKeeper

log = structlog.get_logger("keepgrow.caps")
SWEEP_SECONDS: Final = 10.0


class Sweeper:
    """A task of the event loop; several processes may each have one, a reservation is given back once."""

    def __init__(self, caps: CapKeeper, clock: Callable[[], dt.datetime]) -> None:
        """Describe the sweeper; it begins with `start`."""
        self._caps = caps
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            with contextlib.suppress(StoreUnavailable):  # readiness and requests say so already
                given_back = await self._caps.sweep(self._clock())
                if given_back:
                    log.info("caps_given_back", reservations=given_back)
