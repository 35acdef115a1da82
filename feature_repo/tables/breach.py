"""What a check finds: breaches of the raw-table contract, counted, with examples and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Severity(Enum):
    """Whether the data can be used as it is."""

    ERROR = "error"
    WARNING = "warning"


class Rule(Enum):
    """The rules of the contract, by the name that reports use."""

    FOLDER = "unreadable folder"
    EMPTY_FOLDER = "empty folder"
    UNREADABLE = "unreadable file"
    MALFORMED_ROWS = "malformed rows"
    UNKNOWN_FILE = "unknown file"
    DATASET = "bad dataset.yaml"
    CATALOGUE = "bad catalogue.yaml"
    MISSING_TABLE = "missing table"
    ABSENT_TABLE = "absent optional table"
    EMPTY_TABLE = "empty table"
    MISSING_COLUMN = "missing column"
    ABSENT_COLUMNS = "absent optional columns"
    UNKNOWN_COLUMNS = "unknown columns"
    MISTYPED_COLUMN = "mistyped column"
    MISTYPED_VALUE = "mistyped value"
    NULL_KEY = "null key"
    NULL = "null value"
    DUPLICATE_KEY = "duplicate key"
    NOT_FINITE = "not a finite number"
    UNDER_MINIMUM = "under the minimum"
    OVER_MAXIMUM = "over the maximum"
    UNKNOWN_VALUE = "unknown value"
    TIME_OUT_OF_RANGE = "time out of range"
    AFTER_END = "after the end of data"
    WRONG_ORDER = "wrong order in time"
    UNKNOWN_ACCOUNT = "unknown account"
    TOO_LONG = "too long"
    TIME_ZONE = "unknown time zone"
    SIMILAR_ACCOUNTS = "accounts that differ by case or blanks"
    OVERLAP = "overlapping periods"
    UNKNOWN_PLAN = "unknown plan"
    UNMATCHED_SCOPE = "scope without accounts"
    MIXED_CURRENCIES = "mixed currencies"


@dataclass(frozen=True, slots=True)
class Breach:
    """One way in which a data folder breaks, or strains, the contract.

    Attributes:
        table: Raw table, or the name of the file or folder for what concerns no table.
        column: Column or columns, or None if it concerns whole rows or the table.
        rule: The rule.
        rows: Number of rows concerned; 0 where it is not about rows.
        examples: Up to three examples, each with the row's key and the value.
        severity: Whether the data can't be used (error) or just loses something (warning).
        sentence: What is wrong and what would be right.
    """

    table: str
    column: str | None
    rule: Rule
    rows: int
    examples: tuple[str, ...]
    severity: Severity
    sentence: str


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """One raw table that was looked at: its name, its rows, and whether it could be read to the end."""

    name: str
    rows: int
    readable: bool


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that a check found in one data folder.

    Attributes:
        folder: The data folder.
        tables: Tables that are there, in the contract's order.
        breaches: All breaches, table by table, errors and warnings.
    """

    folder: Path
    tables: tuple[CheckedTable, ...]
    breaches: tuple[Breach, ...]

    @property
    def errors(self) -> tuple[Breach, ...]:
        """The breaches that make the data unusable."""
        return tuple(breach for breach in self.breaches if breach.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Breach, ...]:
        """The breaches that only lose something."""
        return tuple(breach for breach in self.breaches if breach.severity is Severity.WARNING)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors
