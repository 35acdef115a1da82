"""The file connector: whole lines, each event once, whatever was left by a process that was killed."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from serving.actions.connectors import DeliveryError, FileConnector
from serving.actions.events import make_event
from serving.actions.outbox_row import Row
from serving.actions.types import SideEffect

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def row(number: int, attempts: int = 0, size: int = 10) -> Row:
    """Return an event on its way."""
    effect = SideEffect(type="keepgrow.test", data={"text": "x" * size, "number": number})
    event = make_event(effect, "acme", f"rcp_{number}", NOW, {})
    return Row(
        number, event.event_id, "file", "acme", f"rcp_{number}", event.type, event.body, "pending", NOW, attempts,
        None, None,
    )  # fmt: skip


def ids(path: Path) -> list[str]:
    """Return the ids of the events in the file, every line of which must be one."""
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


async def test_many_at_once_leave_whole_lines(tmp_path: Path) -> None:
    """Two connectors on one file, as two processes have, write 200 long events at once: each a line of its own."""
    path = tmp_path / "new" / "effects.jsonl"
    connectors = [FileConnector(path), FileConnector(path)]
    rows = [row(number, size=9_000) for number in range(200)]
    await asyncio.gather(*(connectors[one.seq % 2].deliver(one) for one in rows))
    assert sorted(ids(path)) == sorted(one.event_id for one in rows)


async def test_an_event_that_was_tried_before_is_not_written_twice(tmp_path: Path) -> None:
    """If it is in the file, that is enough; if not, or if only half of it is, it is written."""
    path = tmp_path / "effects.jsonl"
    connector, first, second = FileConnector(path), row(1), row(2, attempts=3)
    await connector.deliver(first)
    await connector.deliver(dataclasses.replace(first, attempts=1))
    await connector.deliver(second)
    assert ids(path) == [first.event_id, second.event_id]


@pytest.mark.parametrize("left", [1, 9, 60, 70_000])
async def test_half_a_line_is_cut_off(tmp_path: Path, left: int) -> None:
    """What a killed process left of an event goes; the event itself, which was not taken, comes whole."""
    path = tmp_path / "effects.jsonl"
    connector, whole, half = FileConnector(path), row(1), row(2, size=200_000)
    await connector.deliver(whole)
    with path.open("ab") as file:
        file.write(half.body[:left])
    await connector.deliver(dataclasses.replace(half, attempts=1))
    assert ids(path) == [whole.event_id, half.event_id]


async def test_what_others_wrote_is_kept(tmp_path: Path) -> None:
    """A last line without an end that is no event gets its end, and stays."""
    path = tmp_path / "effects.jsonl"
    path.write_text("a note")
    event = row(1)
    await FileConnector(path).deliver(event)
    assert path.read_bytes() == b"a note\n" + event.body + b"\n"


async def test_a_file_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    """The attempt fails with the path, and can be made again."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError, match=r"effects\.jsonl"):
        await FileConnector(tmp_path / "file" / "effects.jsonl").deliver(row(1))
