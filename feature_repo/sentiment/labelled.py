"""Labelled ticket texts: a CSV with `text`, `label` and, if it is to be evaluated, `split`."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_repo.errors import DataFolderError
from feature_repo.sentiment.tfidf import LABELS

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("train", "test")


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts with one label each."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]


def read_labelled(path: Path, split: str | None = None) -> Labelled:
    """Read labelled texts from a CSV file, which may be compressed (`.csv.gz`).

    Args:
        path: Comma-separated UTF-8 with the columns `text`, `label` and perhaps `split`.
        split: Take only the rows of this split; all rows if None. Without a column `split`, every row is
            `train`.

    Raises:
        DataFolderError: The file can't be read, lacks a column, has an unknown label, or no row of the split.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
        rows = list(reader)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DataFolderError(f"{path}: can't be read as a CSV of labelled texts: {error}") from error
    missing = [column for column in ("text", "label") if column not in (reader.fieldnames or ())]
    if missing:
        raise DataFolderError(f"{path}: lacks the column {', '.join(missing)}; text,label[,split] are needed")
    unknown = sorted({str(row["label"]) for row in rows} - set(LABELS))
    if unknown:
        raise DataFolderError(f"{path}: unknown label {unknown[0]!r}; allowed are {', '.join(LABELS)}")
    chosen = [row for row in rows if split is None or (row.get("split") or "train") == split]
    if not chosen:
        raise DataFolderError(f"{path}: no row is of the split {split!r}")
    return Labelled(tuple(row["text"] or "" for row in chosen), tuple(row["label"] for row in chosen))
