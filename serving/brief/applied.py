"""What was done to an account before: its receipts, newest first, and whether each can still be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.actions import outbox
from serving.actions.apply import RECEIPT
from serving.actions.receipts import ROLLBACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.actions.outbox import Row
    from serving.ledger.entry import Entry
    from serving.ledger.transaction import Transaction

MOST_ENTRIES: Final = 200
MOST_SHOWN: Final = 20


def applied_actions(transaction: Transaction, account_id: str) -> list[dict[str, Any]]:
    """Return the account's newest receipts, newest first, as a brief shows them.

    Args:
        transaction: The ledger.
        account_id: The account.
    """
    entries = transaction.of_account(account_id, (RECEIPT, ROLLBACK), MOST_ENTRIES)
    undone = {entry.record_id: entry for entry in entries if entry.kind == ROLLBACK}
    receipts = [entry for entry in entries if entry.kind == RECEIPT][:MOST_SHOWN]
    return [
        applied_action(one, undone.get(one.record_id), outbox.of_receipt(transaction, one.record_id))
        for one in receipts
    ]


def applied_action(receipt: Entry, rollback: Entry | None, rows: Sequence[Row]) -> dict[str, Any]:
    """Return one receipt in short.

    `state` is `undone`, `open` (it can be undone, with its rollback token) or `final`: its effect may have left, and
    nothing undoes it.

    Args:
        receipt: The receipt.
        rollback: Its rollback, if there was one.
        rows: Its effects on their way.
    """
    content = receipt.content
    waits = bool(rows) and not any(row.attempts for row in rows)
    state = "undone" if rollback is not None else "open" if content["reversible"] or waits else "final"
    return {
        "receipt_id": receipt.record_id,
        "action_key": content["action"]["action_key"],
        "read_back": content["read_back"],
        "applied_at": content["applied_at"],
        "applied_by": content["applied_by"],
        "state": state,
        "rolled_back_at": None if rollback is None else rollback.content["rolled_back_at"],
        "rolled_back_by": None if rollback is None else rollback.content["rolled_back_by"],
    }
