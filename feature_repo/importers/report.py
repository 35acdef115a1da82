"""What an import did, in numbers: rows written, rows left out and why, contradictions and their handling."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Written(_Value):
    """One raw table that was written."""

    table: str = Field(description="Raw table.")
    rows: int = Field(ge=0, description="Rows in it.")


class Drop(_Value):
    """Source rows that did not become rows of a raw table."""

    source: str = Field(description="File of the source.")
    rows: int = Field(ge=0, description="Number of source rows.")
    reason: str = Field(description="Why they were left out.")


class Finding(_Value):
    """A contradiction in the source, counted, with the rule by which it was handled."""

    source: str = Field(description="File of the source.")
    rows: int = Field(ge=0, description="Number of source rows.")
    of: int = Field(ge=0, description="Number of source rows that were looked at.")
    what: str = Field(description="What contradicts what.")
    handling: str = Field(description="What was done about it.")


class ImportReport(_Value):
    """The account of one import; it is kept as `import_report.json` beside the tables."""

    importer: str = Field(description="Name of the importer.")
    tables: tuple[Written, ...] = Field(description="Tables written.")
    drops: tuple[Drop, ...] = Field(default=(), description="Rows left out, in numbers.")
    findings: tuple[Finding, ...] = Field(default=(), description="Contradictions in the source, in numbers.")
    notes: tuple[str, ...] = Field(default=(), description="What else a reader of the tables must know.")
    files: tuple[str, ...] = Field(default=(), description="Files of the import, the report's own included.")
