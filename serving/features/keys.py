"""The Redis key of an account, as Feast writes it (entity key serialization version 3), without Feast.

Feast's format: the number of join keys; type, length and bytes of the join key's name; type, length and bytes
of its value; then the project's name. Numbers are 32 bits, little endian.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FEAST_STRING: Final = 2
_LENGTH: Final = struct.Struct("<I")


class EntityKeys:
    """Makes the keys of one project's accounts.

    Attributes:
        pattern: What Redis's SCAN finds all of them by.
    """

    __slots__ = ("_prefix", "_suffix", "pattern")

    def __init__(self, project: str, join_key: str) -> None:
        name = join_key.encode()
        self._prefix = (
            struct.pack("<III", 1, FEAST_STRING, len(name)) + name + struct.pack("<I", FEAST_STRING)
        )
        self._suffix = project.encode()
        self.pattern = b"".join(b"\\%c" % byte for byte in self._prefix) + b"*" + self._suffix

    def key(self, account_id: str) -> bytes:
        """Return the key of the hash that holds every view of *account_id*.

        Text that isn't valid Unicode (a lone surrogate) gives a key that no account has.
        """
        return self.keys((account_id,))[0]

    def keys(self, account_ids: Sequence[str]) -> list[bytes]:
        """Return the key of each of *account_ids*; see `key`."""
        prefix, suffix, pack = self._prefix, self._suffix, _LENGTH.pack
        values = [account_id.encode("utf-8", "surrogatepass") for account_id in account_ids]
        return [prefix + pack(len(value)) + value + suffix for value in values]

    def account_id(self, key: bytes) -> str:
        """Return the account that *key* belongs to; what isn't text in it is shown as such."""
        return key[len(self._prefix) + 4 : len(key) - len(self._suffix)].decode("utf-8", "replace")
