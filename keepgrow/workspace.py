"""Where `keepgrow up` keeps what it makes for one data folder, and what each thing was made from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_repo.errors import DataFolderError

if TYPE_CHECKING:
    from pathlib import Path


def fingerprint(*parts: object) -> str:
    """Return a short digest of *parts*; equal parts give equal digests."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:16]


def folder_fingerprint(folder: Path) -> str:
    """Return a digest of the names, sizes and modification times of all files below *folder*.

    Raises:
        DataFolderError: *folder* is not a folder.
    """
    if not folder.is_dir():
        raise DataFolderError(f"{folder}: there is no such folder")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "truth" not in path.parts)
    return fingerprint(
        *((path.relative_to(folder), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    )


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of one data set below `KEEPGROW_HOME`."""

    root: Path

    @classmethod
    def for_data(cls, home: Path, data: Path | None) -> Workspace:
        """Return the workspace of the folder *data*, or of the synthetic world if it is None."""
        if data is None:
            return cls(home / "synthetic")
        resolved = data.resolve()
        return cls(home / f"{resolved.name}-{fingerprint(resolved)[:8]}")

    @property
    def features(self) -> Path:
        """Daily feature tables."""
        return self.root / "features"

    @property
    def registry(self) -> Path:
        """Feast's registry."""
        return self.root / "registry.db"

    @property
    def valkey(self) -> Path:
        """The embedded server's files."""
        return self.root / "valkey"

    @property
    def ledger_url(self) -> str:
        """Address of the embedded ledger."""
        return f"sqlite:///{self.root.resolve() / 'ledger.db'}"

    @property
    def model_tag(self) -> Path:
        """A file with the tag of the bundle that was trained here."""
        return self.root / "model-tag.txt"

    @property
    def account_ids(self) -> Path:
        """A file with the ids of the accounts that have current features, one a line."""
        return self.root / "account-ids.txt"

    def made_from(self, step: str) -> str | None:
        """Return the fingerprint of what *step* was last made from, or None if it was not completed."""
        path = self.root / "steps" / step
        return path.read_text(encoding="utf-8") if path.exists() else None

    def note_made(self, step: str, made_from: str) -> None:
        """Remember that *step* is complete for the inputs with this fingerprint."""
        path = self.root / "steps" / step
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made_from, encoding="utf-8")
