"""Which bundle is the champion, and the history of how it came to be: one file each, beside the bundles.

The pointer is a file with a version, as BentoML's `latest` is. The history is JSON lines, only ever appended to; a line
is on disk before the pointer moves, so that no champion is without its record.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from serving.bundle.store import CHAMPION, MODEL_NAME
from training.errors import PromotionError

if TYPE_CHECKING:
    from collections.abc import Iterator

HISTORY = "keepgrow-promotions.jsonl"

Decision = Literal["promoted", "refused", "rolled_back"]


class Promotion(BaseModel):
    """One line of the history.

    Attributes:
        at: When, UTC.
        by: Who asked.
        tag: The bundle that was asked for.
        replaces: The champion at that moment, or None.
        decision: What came of it.
        reason: What the person gave as explanation, or None.
        limits: Hash of the limits; None for a rollback.
        gates: Every gate with value, limit and verdict; none for a rollback.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: dt.datetime
    by: str
    tag: str
    replaces: str | None
    decision: Decision
    reason: str | None = None
    limits: str | None = None
    gates: tuple[dict[str, str], ...] = ()


def history_file(store: Path) -> Path:
    """Return the history of the model store *store*; it outlives the bundles."""
    return store.parent / HISTORY


def champion_tag(store: Path) -> str | None:
    """Return `keepgrow:VERSION` of the champion, or None if no bundle was promoted; it may be gone by now."""
    try:
        version = (store / MODEL_NAME / CHAMPION).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    return f"{MODEL_NAME}:{version}" if version else None


def read_history(store: Path) -> tuple[Promotion, ...]:
    """Return the history, oldest first.

    Raises:
        PromotionError: A line is damaged; the message says which.
    """
    file = history_file(store)
    if not file.exists():
        return ()
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(Promotion.model_validate_json(line))
        except ValidationError as error:
            raise PromotionError(f"{file}:{number}: not a line of the promotion history: {error}") from error
    return tuple(found)


def previous_champion(store: Path) -> str:
    """Return the tag of the champion before the current one.

    Raises:
        PromotionError: There was none, or the history does not tell.
    """
    current = champion_tag(store)
    for one in reversed(read_history(store)):
        # A rollback of a rollback goes further back, not forth again.
        if one.decision == "promoted" and one.tag == current and one.replaces is not None:
            return one.replaces
    raise PromotionError(f"{history_file(store)} names no champion before {current or 'the first'}")


def record(store: Path, promotion: Promotion) -> None:
    """Append to the history and, unless the bundle was refused, make it the champion.

    Args:
        store: Folder of the model store.
        promotion: What was decided.

    Raises:
        PromotionError: The champion is no longer the one that the decision was made against.
    """
    with _alone(store):
        if promotion.decision != "refused" and champion_tag(store) != promotion.replaces:
            raise PromotionError(
                f"{champion_tag(store)} became the champion meanwhile; compare {promotion.tag} with it: promote again"
            )
        _append(history_file(store), json.dumps(promotion.model_dump(mode="json")) + "\n")
        if promotion.decision != "refused":
            _replace(store / MODEL_NAME / CHAMPION, promotion.tag.partition(":")[2])


@contextlib.contextmanager
def _alone(store: Path) -> Iterator[None]:
    """Hold the only right to write here; another process waits."""
    file = history_file(store)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _append(file: Path, line: str) -> None:
    whole = file.exists() and file.stat().st_size > 0 and not file.read_bytes().endswith(b"\n")
    with file.open("a", encoding="utf-8") as out:
        out.write(("\n" if whole else "") + line)
        out.flush()
        os.fsync(out.fileno())


def _replace(file: Path, text: str) -> None:
    partial = file.with_name(f".{file.name}.partial-{os.getpid()}")
    with partial.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
