"""Who is held out: accounts that get no action, so that what actions achieve can be measured against them.

Assignment is a salted hash of the account's id, so it needs no memory, is the same in every process and on every
day, and does not change when a programme is added. Each programme has a hash of its own: being held out of one
says nothing about another.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

GLOBAL: Final = "global"
_RANGE: Final = 2**64


class Holdouts(BaseModel):
    """Shares of accounts that are held out.

    To change the salt draws all holdouts anew and ends every comparison that is under way. A share may grow (those who
    were held out stay held out) or shrink (some come back).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    salt: str = Field(default="keepgrow", min_length=1, description="Any text; a company's own.")
    share: float = Field(default=0.0, ge=0, lt=1, description="Share of accounts held out of everything.")
    programmes: dict[str, float] = Field(
        default_factory=dict, description="Share held out of each programme: an action's `playbook`."
    )

    def model_post_init(self, _context: object) -> None:
        """Check the shares.

        Raises:
            ValueError: A programme's share is out of range, or a programme has the name of the global holdout.
        """
        wrong = [name for name, share in self.programmes.items() if not 0 <= share < 1]
        if wrong:
            raise ValueError(f"the share of {', '.join(wrong)} must be at least 0 and under 1")
        if GLOBAL in self.programmes:
            raise ValueError(f"{GLOBAL!r} is no programme: its share is `share`")

    def of(self, account_id: str) -> frozenset[str]:
        """Return what *account_id* is held out of: `global`, or names of programmes."""
        held = [
            name for name, share in self.programmes.items() if position(self.salt, name, account_id) < share
        ]
        if position(self.salt, GLOBAL, account_id) < self.share:
            held.append(GLOBAL)
        return frozenset(held)


def position(salt: str, programme: str, account_id: str) -> float:
    """Return the account's place in [0, 1), uniform over accounts and independent between programmes."""
    text = account_id.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=8, key=_key(salt, programme)).digest()
    return int.from_bytes(digest, "big") / _RANGE


@lru_cache(maxsize=256)
def _key(salt: str, programme: str) -> bytes:
    return hashlib.blake2b(f"{salt}\0{programme}".encode(), digest_size=32).digest()
