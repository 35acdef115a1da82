"""The hash chain: each entry's hash covers the one before it, so that nothing can be changed or left out unseen."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import orjson

GENESIS: Final = "0" * 64
"""What the first entry has for a predecessor."""


class Head(NamedTuple):
    """The end of the chain: number and hash of the last entry; number 0 and `GENESIS` if there is none."""

    seq: int
    hash: str


START: Final = Head(0, GENESIS)


def entry_hash(
    previous: str,
    seq: int,
    kind: str,
    record_id: str,
    account: str | None,
    at_us: int,
    content_hash: str,
) -> str:
    """Return the hex SHA-256 of an entry's place in the chain and of all that the table `entries` says of it.

    Args:
        previous: Hash of the entry before it.
        seq: Its number, counted from 1 without gaps.
        kind: Its kind.
        record_id: Its id.
        account: Pseudonym of its account, or None.
        at_us: When it happened, in microseconds since 1970.
        content_hash: Salted hash of its content.
    """
    covered = orjson.dumps([previous, seq, kind, record_id, account, at_us, content_hash])
    return hashlib.sha256(covered).hexdigest()
