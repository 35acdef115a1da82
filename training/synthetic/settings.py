"""What a synthetic world is asked for, what is reported of it, and the error that refuses."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_END = dt.date(2026, 6, 30)
BLOCK_ACCOUNTS = 250
"""Accounts that share random streams. Part of the world's definition: another number makes another world."""

PART_ACCOUNTS = 2_000
"""Accounts in one part file; rows don't depend on it."""

_FIRST_DAY = dt.date(1990, 1, 1)
_LAST_DAY = dt.date(2200, 1, 1)
_MAX_DAYS = 3_650
_MAX_ACCOUNTS = 10_000_000
_MAX_SEED = 2**63 - 1


class SyntheticWorldError(TrainingError):
    """A synthetic world can't be made as asked, or can't be put where it was asked for."""


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """A synthetic world: equal settings make equal tables.

    Attributes:
        accounts: Number of accounts, 1 to 10,000,000.
        days: Days of history, 1 to 3,650.
        seed: Seed of every random stream, 0 or more.
        end: Last day of the history (UTC).
        part_accounts: Accounts a part file, a multiple of 250; changes files, not rows.
        truth_paths: Simulated futures per account and month end, and per treatment and arm.
    """

    accounts: int = 2_000
    days: int = 540
    seed: int = 7
    end: dt.date = DEFAULT_END
    part_accounts: int = PART_ACCOUNTS
    truth_paths: int = 16

    def __post_init__(self) -> None:
        _in_range("accounts", self.accounts, 1, _MAX_ACCOUNTS)
        _in_range("days", self.days, 1, _MAX_DAYS)
        _in_range("seed", self.seed, 0, _MAX_SEED)
        _in_range("truth_paths", self.truth_paths, 2, 10_000)
        if self.truth_paths % 2:
            raise SyntheticWorldError(
                f"truth_paths is {self.truth_paths}: futures come in pairs, so it should be even"
            )
        if self.part_accounts < BLOCK_ACCOUNTS or self.part_accounts % BLOCK_ACCOUNTS:
            raise SyntheticWorldError(
                f"part_accounts is {self.part_accounts}: it should be a multiple of {BLOCK_ACCOUNTS}"
            )
        if self.start < _FIRST_DAY or self.end > _LAST_DAY:
            raise SyntheticWorldError(
                f"the world would run from {self.start} to {self.end}: "
                f"it should lie between {_FIRST_DAY} and {_LAST_DAY}"
            )

    @property
    def start(self) -> dt.date:
        """First day of the history."""
        return self.end - dt.timedelta(days=self.days - 1)

    @property
    def blocks(self) -> int:
        """Number of blocks of accounts."""
        return -(-self.accounts // BLOCK_ACCOUNTS)

    def block_size(self, block: int) -> int:
        """Return how many accounts the block numbered *block* has."""
        return min(BLOCK_ACCOUNTS, self.accounts - block * BLOCK_ACCOUNTS)


@dataclass(frozen=True, slots=True)
class WorldReport:
    """What was made.

    Attributes:
        dest: The folder.
        settings: The world's settings.
        rows: Rows per raw table.
        truth_rows: Rows per truth table.
        seconds: Wall-clock time that it took.
    """

    dest: Path
    settings: WorldSettings
    rows: dict[str, int]
    truth_rows: dict[str, int]
    seconds: float


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SyntheticWorldError(f"{name} is {value}: it should be from {low:,} to {high:,}")
