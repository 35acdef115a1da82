"""Logs: one JSON object a line on standard output, never a body and never an account id."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer

if TYPE_CHECKING:
    from collections.abc import Callable

SPARING_SECONDS: Final = 1.0
MOST_REASONS: Final = 64


def _dumps(event: dict[str, Any], **_: Any) -> str:  # noqa: ANN401 -- structlog's signature
    return orjson.dumps(event, default=str).decode()


def configure_logs(level: str) -> None:
    """Make structlog write JSON lines of *level* and above."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without local variables: they hold bodies, account ids and the store's password.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )


class SparingLog:
    """Tells why requests were refused, at most once a second and reason: an outage is no flood of lines."""

    def __init__(
        self, log: structlog.typing.FilteringBoundLogger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Write to *log*, by the seconds that *clock* tells."""
        self._log = log
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}

    def warning(self, event: str, reason: str, **facts: object) -> None:
        """Write a line, or only count it; the next line of that *reason* says how many it stands for.

        Args:
            event: What happened.
            reason: Why, one of a few words.
            facts: What else belongs on the line.
        """
        now = self._clock()
        at, held_back = self._told.get(reason, (float("-inf"), 0))
        if now - at < SPARING_SECONDS:
            self._told[reason] = (at, held_back + 1)
            return
        if len(self._told) >= MOST_REASONS:
            self._told.clear()
        self._told[reason] = (now, 0)
        self._log.warning(event, reason=reason, requests=held_back + 1, **facts)
