"""What the ledger holds: entries, as callers give them and as they are written."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        kind: What it is: `decision`, `outcome`, `receipt`, `erasure`, ...
        record_id: Its id, unique among the entries of its kind.
        account_id: The account that it is about, if it is about one.
        at: When it happened, with its zone.
        content: All that is known of it, as JSON; an `orjson.Fragment` in it is written as it is.
    """

    kind: str
    record_id: str
    account_id: str | None
    at: dt.datetime
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry ready to be written: all that can be computed before its place in the chain is known.

    Attributes:
        kind: As of the entry.
        record_id: As of the entry.
        account_id: As of the entry.
        at_us: Microseconds since 1970 in UTC.
        content: The content's JSON, byte for byte as it will be read.
        salt: Random bytes, without which nobody can tell from `content_hash` what an emptied content was.
        content_hash: See `content_hash`.
    """

    kind: str
    record_id: str
    account_id: str | None
    at_us: int
    content: bytes
    salt: bytes
    content_hash: str


def content_hash(salt: bytes, account_id: str | None, content: bytes) -> str:
    """Return the hex SHA-256 of the salt, the account's id as JSON (or `null`) and the content's bytes."""
    return hashlib.sha256(salt + orjson.dumps(account_id) + content).hexdigest()


def to_microseconds(time: dt.datetime) -> int:
    """Return *time* as microseconds since 1970 in UTC.

    Raises:
        ValueError: *time* has no zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"{time}: a time in the ledger needs its zone")
    return (time - EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> dt.datetime:
    """Return the time in UTC that is so many *microseconds* after 1970."""
    return EPOCH + microseconds * _MICROSECOND


def prepare(entry: Entry) -> Prepared:
    """Return *entry* ready to be written.

    Raises:
        ValueError: Its time has no zone.
        TypeError: Its content can't be written as JSON.
    """
    content = orjson.dumps(entry.content)
    salt = secrets.token_bytes(SALT_BYTES)
    return Prepared(
        kind=entry.kind,
        record_id=entry.record_id,
        account_id=entry.account_id,
        at_us=to_microseconds(entry.at),
        content=content,
        salt=salt,
        content_hash=content_hash(salt, entry.account_id, content),
    )
