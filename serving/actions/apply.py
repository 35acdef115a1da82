"""Apply: policy is checked again, then receipt, effects and idempotency key are written in one transaction.

Whatever ends the process, before that transaction nothing has happened and after it everything has: the outbox goes
on, and the same request with the same key gets the same answer.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
import sqlalchemy as sa

from serving import metrics
from serving.actions import outbox
from serving.actions.checks import stopping, verdicts
from serving.actions.counting import APPLY_OUTCOMES, counted
from serving.actions.errors import AlreadyApplied, ApprovalsMissing, KeyReused, LevelTooLow, Refused
from serving.actions.events import make_event
from serving.actions.simulate import judged
from serving.actions.tables import IDEMPOTENCY_KEYS
from serving.decisions.autonomy import applied_by, effective_level, may_apply
from serving.decisions.decision import utc_text
from serving.ledger.autonomy import recorded_levels
from serving.ledger.entry import Entry, to_microseconds
from serving.ledger.transaction import name_bytes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from serving.actions.capped import AppliedCaps
    from serving.actions.events import Event
    from serving.actions.simulate import Rules
    from serving.actions.sources import Source
    from serving.actions.types import TypedAction
    from serving.decisions.frame import DecisionFrame
    from serving.ledger.ledger import Ledger
    from serving.ledger.transaction import Transaction

RECEIPT: Final = "receipt"
APPLICATION: Final = "application"
TOKEN_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class Wish:
    """One request to apply.

    Attributes:
        key: Its idempotency key.
        fingerprint: Digest of everything that it says, the actor too.
        actor: Who asks: a person, or what has a name as `serving.decisions.autonomy.NO_PERSON` says; then the action
            has to be at the level `unattended`.
    """

    key: str
    fingerprint: str
    actor: str


@counted(metrics.applies, APPLY_OUTCOMES)
async def repeated_answer(ledger: Ledger, wish: Wish) -> bytes | None:
    """Return the answer that this very request had before, or None.

    Raises:
        KeyReused: Another request had the key.
        LedgerUnavailable: The ledger does not answer.
    """
    answer = await ledger.look(lambda transaction: _answer_of(transaction, wish))
    if answer is not None:
        metrics.applies("repeated").inc()
    return answer


@counted(metrics.applies, APPLY_OUTCOMES)
async def apply(
    ledger: Ledger,
    wish: Wish,
    source: Source,
    action: TypedAction,
    frame: DecisionFrame,
    rules: Rules,
    *,
    approvals: Sequence[dict[str, str]],
    targets: Sequence[str],
    caps: AppliedCaps | None = None,
) -> bytes:
    """Carry out *action*, once, and return the receipt as JSON with its rollback token.

    Args:
        ledger: Where everything is written.
        wish: The request.
        source: What it is applied by.
        action: The action.
        frame: The account now.
        rules: Catalogue and policy in force.
        approvals: Who agreed to the source.
        targets: Where effects go.
        caps: Counts what actions use of caps; None where nothing is counted.

    Raises:
        Expired: The source is too old.
        LevelTooLow: The ladder of autonomy does not let this actor apply it by this source.
        Refused: A check stops it now.
        ApprovalsMissing: Too few others agreed.
        KeyReused: Another request had the key.
        AlreadyApplied: The source was applied under another key.
        UnknownAction: The catalogue no longer has the action.
        LedgerUnavailable: It was not written in time; the same request may be made again.
        StoreUnavailable: Nobody knows what is used of caps; nothing was written.
    """
    now = frame.now
    source.require_valid(now)
    situation = rules.situation(frame, action.action_key, str(action.model_dump()["type"]))

    def require_level(transaction: Transaction) -> None:
        _require_level(transaction, wish, source, situation.action.key, rules)

    await ledger.look(require_level)
    stopped = stopping(verdicts(action, situation, rules.policy))
    if stopped:
        raise Refused(stopped)
    given = [one for one in approvals if one["by"] not in {wish.actor, source.proposed_by}]
    needed = rules.catalogue.approvals_needed(situation.action)
    if len(given) < needed:
        raise ApprovalsMissing(needed, [one["by"] for one in given])
    held = None if caps is None else await caps.reserve(source, situation.action, frame)
    receipt_id = f"rcp_{secrets.token_hex(16)}"
    token = f"rbt_{secrets.token_urlsafe(TOKEN_BYTES)}"
    said = judged(action, situation, rules)
    beside = {"message": said["message"], "disclosures": said["disclosures"]}
    events = [
        make_event(effect, frame.account_id, receipt_id, now, beside) for effect in action.side_effects()
    ]
    receipt = {
        "receipt_id": receipt_id,
        "account_id": frame.account_id,
        "source": {"kind": source.kind, "id": source.source_id},
        "applied_at": utc_text(now),
        "applied_by": wish.actor,
        "proposed_by": source.proposed_by,
        "approvals": given,
        "targets": list(targets),
        "reservation": None if held is None else held.to_dict(),
        **said,
        "effects": [{"event_id": event.event_id, "type": event.type, "due_at": utc_text(event.due_at)}
                    for event in events],
    }  # fmt: skip
    body = orjson.dumps({**receipt, "rollback_token": token})
    entry = Entry(
        RECEIPT, receipt_id, frame.account_id, now, {**receipt, "rollback_token_hash": token_hash(token)}
    )
    answer = await ledger.transact(
        lambda transaction: _write(
            transaction,
            wish,
            source,
            entry,
            body,
            events=events,
            targets=targets,
            require_level=require_level,
        )
    )
    metrics.applies("applied" if answer is body else "repeated").inc()
    if caps is not None and held is not None:
        await caps.keep(held, now)
    return answer


def token_hash(token: str) -> str:
    """Return the hex SHA-256 by which the ledger knows a rollback token, which has 192 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _write(
    transaction: Transaction,
    wish: Wish,
    source: Source,
    entry: Entry,
    body: bytes,
    *,
    events: Sequence[Event],
    targets: Sequence[str],
    require_level: Callable[[Transaction], None],
) -> bytes:
    known = _answer_of(transaction, wish)
    if known is not None:
        return known
    require_level(transaction)  # a demotion that was written before this is in force
    applied = transaction.get(APPLICATION, source.source_id)
    if applied is not None:
        raise AlreadyApplied(str(applied.content["receipt_id"]))
    _keep_answer(transaction, wish, entry, body)
    record = {"receipt_id": entry.record_id, "source": {"kind": source.kind, "id": source.source_id}}
    transaction.add(Entry(APPLICATION, source.source_id, entry.account_id, entry.at, record))
    transaction.add(entry)
    outbox.enqueue(transaction, events, entry.record_id, targets, entry.at)
    return body


def _require_level(
    transaction: Transaction, wish: Wish, source: Source, action_key: str, rules: Rules
) -> None:
    """Insist that the action has come far enough on the ladder of autonomy, by the ledger as it is at this moment.

    Raises:
        LevelTooLow: It has not.
    """
    by = applied_by(wish.actor, source.kind)
    level = effective_level(rules.policy.document.autonomy, recorded_levels(transaction), action_key)
    if not may_apply(level, by):
        raise LevelTooLow(action_key, level, by)


def _answer_of(transaction: Transaction, wish: Wish) -> bytes | None:
    wanted = sa.select(IDEMPOTENCY_KEYS).where(IDEMPOTENCY_KEYS.c.key == wish.key)
    row: Any = transaction.connection.execute(wanted).first()
    if row is None:
        return None
    if row.fingerprint != wish.fingerprint:
        raise KeyReused("this key was used for another request; take a new one")
    return bytes(row.body)


def _keep_answer(transaction: Transaction, wish: Wish, entry: Entry, body: bytes) -> None:
    transaction.connection.execute(
        IDEMPOTENCY_KEYS.insert().values(
            key=wish.key,
            fingerprint=wish.fingerprint,
            receipt_id=entry.record_id,
            account_id=name_bytes(entry.account_id or ""),
            at_us=to_microseconds(entry.at),
            body=body,
        )
    )


def forget_before(transaction: Transaction, before: dt.datetime) -> int:
    """Forget the answers of requests made before a time; return how many. Their keys can then be used anew."""
    result = transaction.connection.execute(
        IDEMPOTENCY_KEYS.delete().where(IDEMPOTENCY_KEYS.c.at_us < to_microseconds(before))
    )
    return int(result.rowcount)
