"""Decisions as entries: the frame that was decided on, and the answer, byte for byte as it was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving.decisions.frame_json import frame_json, parse_frame
from serving.ledger.entry import Entry

if TYPE_CHECKING:
    from serving.decisions.decision import Decision
    from serving.decisions.frame import DecisionFrame

DECISION: Final = "decision"


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A decision that the ledger knows.

    Attributes:
        decision: The decision.
        frame: What it was made from.
        body: The answer's JSON, as the ledger holds it.
    """

    decision: Decision
    frame: DecisionFrame
    body: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as the API shows it."""
        return self.decision.to_dict()


def answer_json(decision: Decision) -> bytes:
    """Return *decision* as the API's JSON."""
    return orjson.dumps(decision.to_dict(), option=orjson.OPT_SERIALIZE_NUMPY)


def decision_entry(frame: DecisionFrame, decision_id: str, body: bytes) -> Entry:
    """Return the entry of a decision.

    Args:
        frame: What it was made from.
        decision_id: Its id.
        body: Its JSON, as `answer_json` writes it.
    """
    content = {"frame": orjson.Fragment(frame_json(frame)), "answer": orjson.Fragment(body)}
    return Entry(DECISION, decision_id, frame.account_id, frame.now, content)


def read_decision(entry: Entry) -> tuple[DecisionFrame, bytes]:
    """Return the frame and the answer's JSON of a decision's entry.

    JSON that orjson wrote, read and written again is the same bytes.

    Raises:
        ValueError: It holds no frame.
    """
    return parse_frame(orjson.dumps(entry.content["frame"])), orjson.dumps(entry.content["answer"])
