"""What was used of caps, in Redis: read, reserved, kept, given back, each by one script and so at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final, cast

import hiredis

from serving.caps.alerts import alert
from serving.errors import StoreUnavailable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from serving.decisions.caps import Cap, Use
    from serving.features.client import StoreLink

ROOT: Final = b"{keepgrow}:caps"
SCRIPT: Final = resources.files("serving.caps").joinpath("caps.lua").read_bytes()
DIGEST: Final = (
    hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()
)  # the name that EVALSHA goes by

RESERVED_NOW: Final = 1
"""What the script says of uses that were not held before."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one decision wants to use.

    Attributes:
        reservation_id: The decision's id.
        account_id: The account.
        action: Key of the action.
        surface: Where it would be shown; None for anywhere.
        uses: What it uses of each cap.
        given_back_at: Time at which the uses are given back unless it was shown by then.
        valid_seconds: For how long the same recommendation to the same account counts as this one.
    """

    reservation_id: str
    account_id: str
    action: str
    surface: str | None
    uses: tuple[Use, ...]
    given_back_at: dt.datetime
    valid_seconds: int

    @property
    def recommendation(self) -> str:
        """What makes two reservations the same recommendation."""
        return recommendation(self.action, self.surface, self.account_id)


@dataclass(frozen=True, slots=True)
class Reserved:
    """What became of a reservation.

    Attributes:
        granted: Whether the uses are reserved.
        reservation_id: The reservation that holds them: an earlier one if that was for the same recommendation.
        used: What was used before, by key.
    """

    granted: bool
    reservation_id: str
    used: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PastUse:
    """A reservation as the ledger remembers it.

    Attributes:
        reservation_id: Its id.
        at: When it was made.
        given_back_at: When it is given back; None if it was shown.
        uses: Key, amount and length of the window in seconds of each use.
    """

    reservation_id: str
    at: dt.datetime
    given_back_at: dt.datetime | None
    uses: tuple[tuple[str, int, int], ...]


class CapStore:
    """Counts uses in the server that *link* leads to."""

    def __init__(self, link: StoreLink, root: bytes = ROOT) -> None:
        """Describe the store; it connects when it is first used.

        Args:
            link: Way to the server.
            root: What all keys begin with; its part in braces keeps them on one node of a Cluster.
        """
        self._link = link
        self._root = root

    async def usage(
        self,
        wanted: Sequence[tuple[str, Cap]],
        recommendations: Sequence[str],
        now: dt.datetime,
        deadline_seconds: float,
    ) -> tuple[dict[str, int], dict[str, str]]:
        """Return what is used under each key, and the reservations of recommendations that still hold.

        Args:
            wanted: Keys, each with its cap.
            recommendations: See `recommendation`.
            now: The time; aware.
            deadline_seconds: Longest time to wait.

        Raises:
            StoreUnavailable: The server did not answer in time, or refused.
        """
        words = [_number(len(wanted))]
        words += [word for key, cap in wanted for word in (_bytes(key), _number(cap.window_seconds))]
        words += [_bytes(what) for what in recommendations]
        used, held = cast(
            "tuple[list[int], list[bytes]]", await self._run(b"usage", now, words, deadline_seconds)
        )
        return (
            {key: amount for (key, _), amount in zip(wanted, used, strict=True)},
            {what: held_by.decode() for what, held_by in zip(recommendations, held, strict=True) if held_by},
        )

    async def reserve(self, asked: Reservation, now: dt.datetime, deadline_seconds: float) -> Reserved:
        """Reserve all uses of *asked*, or none of them if a limit would be passed; say what limits they come near.

        Raises:
            StoreUnavailable: The server did not answer in time, or refused. It may have reserved nevertheless; what was
                reserved is given back when its time has come.
        """
        words = [
            _bytes(asked.reservation_id),
            _time(asked.given_back_at),
            _bytes(asked.recommendation),
            _number(asked.valid_seconds),
        ]
        for use in asked.uses:
            words += [
                _bytes(use.key), _number(use.amount), _number(use.cap.limit_units), _number(use.cap.window_seconds),
            ]  # fmt: skip
        status, holder, before = cast(
            "tuple[int, bytes, list[int]]", await self._run(b"reserve", now, words, deadline_seconds)
        )
        used = {use.key: amount for use, amount in zip(asked.uses, before, strict=True)}
        if status == RESERVED_NOW:
            alert(asked.uses, used)
        return Reserved(granted=status > 0, reservation_id=holder.decode(), used=used)

    async def keep(self, reservation_id: str, now: dt.datetime, deadline_seconds: float) -> bool:
        """Say that it was shown: its uses count for their whole window. Return whether that was open."""
        return bool(await self._run(b"keep", now, [_bytes(reservation_id)], deadline_seconds))

    async def release(self, reservation_id: str, now: dt.datetime, deadline_seconds: float) -> bool:
        """Give back what a reservation uses. Return whether there was such a reservation."""
        return bool(await self._run(b"release", now, [_bytes(reservation_id)], deadline_seconds))

    async def sweep(self, now: dt.datetime, deadline_seconds: float) -> int:
        """Give back what was not shown in time; return how many reservations."""
        total = 0
        while late := cast("int", await self._run(b"sweep", now, [], deadline_seconds)):
            total += late
        return total

    async def restore(self, past: PastUse, now: dt.datetime, deadline_seconds: float) -> bool:
        """Count a reservation that the server may have lost; return whether it had."""
        words = [_bytes(past.reservation_id), _time(past.at)]
        words.append(b"" if past.given_back_at is None else _time(past.given_back_at))
        for key, amount, window in past.uses:
            words += [_bytes(key), _number(amount), _number(window)]
        return bool(await self._run(b"restore", now, words, deadline_seconds))

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()

    async def _run(
        self, word: bytes, now: dt.datetime, arguments: Sequence[bytes], deadline_seconds: float
    ) -> object:
        rest = [b"1", self._root, word, _time(now), *arguments]
        reply = await self._link.call([b"EVALSHA", DIGEST, *rest], deadline_seconds, self._root)
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
            reply = await self._link.call([b"EVAL", SCRIPT, *rest], deadline_seconds, self._root)
        if isinstance(reply, hiredis.ReplyError):
            raise StoreUnavailable.refused("", reply)
        return reply


def recommendation(action: str, surface: str | None, account_id: str) -> str:
    """Return the name of an action's recommendation to an account on a surface."""
    return "|".join([action, surface or "", account_id])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _number(value: int) -> bytes:
    return b"%d" % value


def _time(moment: dt.datetime) -> bytes:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return f"{moment.timestamp():.6f}".encode()
