"""Effects as CloudEvents 1.0 in the structured JSON format (CNCF CloudEvents specification 1.0.2)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving.decisions.decision import utc_text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from serving.actions.types import SideEffect

MEDIA_TYPE: Final = "application/cloudevents+json"
SOURCE: Final = "urn:keepgrow"
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Event:
    """One effect, ready to leave.

    Attributes:
        event_id: Its id; who receives it twice knows it by this.
        type: Type of the CloudEvent.
        account_id: The account.
        body: The CloudEvent, the same bytes at every attempt.
        due_at: When it may leave.
    """

    event_id: str
    type: str
    account_id: str
    body: bytes
    due_at: dt.datetime


def make_event(
    effect: SideEffect, account_id: str, receipt_id: str, at: dt.datetime, said: Mapping[str, Any]
) -> Event:
    """Return *effect* as an event.

    Args:
        effect: What another system should do.
        account_id: The account.
        receipt_id: The receipt of the action.
        at: When the action was applied or undone.
        said: What goes beside the effect's own data: message, disclosures.
    """
    event_id = f"evt_{secrets.token_hex(_ID_BYTES)}"
    due = effect.due_at or at
    document = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": effect.type,
        "subject": account_id,
        "time": utc_text(at),
        "datacontenttype": "application/json",
        "data": {"receipt_id": receipt_id, "effect": dict(effect.data), **said},
    }
    return Event(event_id, effect.type, account_id, orjson.dumps(document), due)
