"""Counts what came of simulations, of requests to apply and of undoings: how valid actions are, and why they are not.

Whatever ends a request without saying anything of the action (a store that is gone, a fault of ours) is not counted
here; the durations of requests are, by outcome.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from serving.actions import errors
from serving.actions.simulate import UnknownAction
from serving.actions.types import DraftError
from serving.errors import EntryErased, UnknownAccount

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from serving.metrics_buffer import BufferedCounter

P = ParamSpec("P")
T = TypeVar("T")

APPLY_OUTCOMES: Final[Mapping[type[Exception], str]] = {
    errors.Expired: "expired",
    errors.Refused: "refused",
    errors.LevelTooLow: "level_too_low",
    errors.ApprovalsMissing: "approvals_missing",
    errors.KeyReused: "conflict",
    errors.AlreadyApplied: "conflict",
}
"""How a request to apply ends, once it is understood, without a receipt."""
REQUEST_OUTCOMES: Final[Mapping[type[Exception], str]] = {
    UnknownAction: "malformed",
    DraftError: "malformed",
    errors.UnknownSource: "unknown",
    UnknownAccount: "unknown",
    EntryErased: "unknown",
}
"""How a request ends before its action is looked at."""
SIMULATION_OUTCOMES: Final[Mapping[type[Exception], str]] = {
    UnknownAction: "invalid",
    DraftError: "invalid",
    UnknownAccount: "unknown",
}
ROLLBACK_OUTCOMES: Final[Mapping[type[Exception], str]] = {
    errors.WrongToken: "refused",
    errors.NotReversible: "refused",
    errors.UnknownReceipt: "unknown",
    EntryErased: "unknown",
}


def counted(
    counter: Callable[[str], BufferedCounter], outcomes: Mapping[type[Exception], str]
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Return a decorator that counts each error of *outcomes* that a function ends in, under its name there.

    Args:
        counter: Gives the counter of an outcome.
        outcomes: Names by type of error, subtypes included.
    """
    kinds = tuple(outcomes)

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def counting(*arguments: P.args, **named: P.kwargs) -> T:
            try:
                return await function(*arguments, **named)
            except kinds as error:
                counter(next(name for kind, name in outcomes.items() if isinstance(error, kind))).inc()
                raise

        return counting

    return decorate
