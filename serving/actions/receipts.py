"""Receipts read back, and undone: the inverse of an action leaves by the same outbox, behind the action itself."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving import metrics
from serving.actions import outbox
from serving.actions.apply import RECEIPT, token_hash
from serving.actions.counting import ROLLBACK_OUTCOMES, counted
from serving.actions.errors import NotReversible, UnknownReceipt, WrongToken
from serving.actions.events import make_event
from serving.actions.types import parse_action
from serving.decisions.decision import utc_text
from serving.ledger.entry import Entry

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from serving.actions.events import Event
    from serving.actions.outbox import Row
    from serving.ledger.ledger import Ledger
    from serving.ledger.transaction import Transaction

ROLLBACK: Final = "rollback"


async def read_receipt(ledger: Ledger, receipt_id: str) -> dict[str, Any]:
    """Return the receipt, what became of each of its effects, and its rollback if there was one.

    Raises:
        UnknownReceipt: There is no such receipt.
        EntryErased: Its content was erased.
        LedgerUnavailable: The ledger does not answer.
    """

    def ask(transaction: Transaction) -> dict[str, Any]:
        receipt = _receipt(transaction, receipt_id)
        undone = transaction.get(ROLLBACK, receipt_id)
        shown = {name: value for name, value in receipt.content.items() if name != "rollback_token_hash"}
        deliveries = [row.to_dict() for row in outbox.of_receipt(transaction, receipt_id)]
        return {**shown, "deliveries": deliveries, "rollback": None if undone is None else undone.content}

    return await ledger.look(ask)


@counted(metrics.rollbacks, ROLLBACK_OUTCOMES)
async def roll_back(
    ledger: Ledger,
    receipt_id: str,
    token: str,
    actor: str,
    now: dt.datetime,
    *,
    reason: str | None,
) -> dict[str, Any]:
    """Undo the action of a receipt, and return what was done; once more is the same as once.

    What was not sent yet is cancelled. Targets that something was sent to, or may have been, get the inverse of the
    action after it.

    Args:
        ledger: Where everything is written.
        receipt_id: The receipt.
        token: Its rollback token.
        actor: Who asks.
        now: The service's time.
        reason: Why, in the actor's words.

    Raises:
        UnknownReceipt: There is no such receipt.
        WrongToken: The token is not the receipt's.
        NotReversible: The effect may have left, and nothing undoes it.
        LedgerUnavailable: It was not written in time; the same request may be made again.
    """

    def work(transaction: Transaction) -> tuple[dict[str, Any], str]:
        receipt = _receipt(transaction, receipt_id)
        if not hmac.compare_digest(receipt.content["rollback_token_hash"], token_hash(token)):
            raise WrongToken("the token is not that of this receipt")
        known = transaction.get(ROLLBACK, receipt_id)
        if known is not None:
            return dict(known.content), "repeated"
        rows = outbox.of_receipt(transaction, receipt_id)
        events = _inverse(receipt, rows, now)
        waiting = [row for row in rows if row.state in {"pending", "dead"}]
        outbox.cancel(transaction, [row.seq for row in waiting])
        tried = {row.target for row in rows if row.attempts} if rows else {*receipt.content["targets"]}
        outbox.enqueue(transaction, events, receipt_id, sorted(tried), now)
        content = {
            "receipt_id": receipt_id,
            "account_id": receipt.account_id,
            "rolled_back_at": utc_text(now),
            "rolled_back_by": actor,
            "reason": reason,
            "cancelled": sorted({row.event_id for row in waiting}),
            "effects": [{"event_id": event.event_id, "type": event.type} for event in events],
        }
        transaction.add(Entry(ROLLBACK, receipt_id, receipt.account_id, now, content))
        return content, "undone"

    undone, outcome = await ledger.transact(work)
    metrics.rollbacks(outcome).inc()
    return undone


def _inverse(receipt: Entry, rows: Sequence[Row], now: dt.datetime) -> list[Event]:
    """Return the event that undoes the receipt's action; none where nothing can have left.

    Rows that are gone were delivered long ago.
    """
    if rows and not any(row.attempts for row in rows):
        return []
    inverse = parse_action(orjson.dumps(receipt.content["action"])).inverse()
    if inverse is None:
        raise NotReversible("the effect has left, or may have, and nothing undoes this action")
    account_id = str(receipt.account_id)
    return [make_event(inverse, account_id, receipt.record_id, now, {"undoes": receipt.record_id})]


def _receipt(transaction: Transaction, receipt_id: str) -> Entry:
    receipt = transaction.get(RECEIPT, receipt_id)
    if receipt is None:
        raise UnknownReceipt(f"the ledger has no receipt {receipt_id!r}")
    return receipt
