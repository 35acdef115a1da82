"""What an action can be applied by: a simulation of it, or a decision that proposed it; and who agrees to it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving.actions.errors import Expired, OwnProposal, UnknownSource
from serving.actions.simulate import UnknownAction
from serving.actions.types import draft, parse_action
from serving.decisions.decision import utc_text
from serving.ledger.entry import Entry

if TYPE_CHECKING:
    from serving.actions.simulate import Rules
    from serving.actions.types import TypedAction
    from serving.decisions.frame import DecisionFrame
    from serving.ledger.ledger import Ledger

SIMULATION: Final = "simulation"
DECISION: Final = "decision"
APPROVAL: Final = "approval"
MOST_APPROVALS: Final = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """A simulation or a decision.

    Attributes:
        kind: `simulation` or `decision`.
        source_id: Its id.
        account_id: The account.
        proposed_by: Who simulated; None for a decision, which no person made.
        valid_until: How long it can be applied.
        content: The simulation, or the decision's answer.
        surface: Where the decision's action was to be shown; None if anywhere.
    """

    kind: str
    source_id: str
    account_id: str
    proposed_by: str | None
    valid_until: dt.datetime
    content: dict[str, Any]
    surface: str | None = None

    def reservation_id(self, action_key: str) -> str:
        """Return the name under which the uses of *action_key* are counted: the id, which a decision's own has."""
        proposed = self.content.get("action") or {}
        own = proposed.get("key", proposed.get("action_key")) == action_key
        return self.source_id if own else f"{self.source_id}:{action_key}"

    def require_valid(self, now: dt.datetime) -> None:
        """Insist that it can still be applied at *now*.

        Raises:
            Expired: It can't.
        """
        if now > self.valid_until:
            raise Expired(f"the {self.kind} could be applied until {utc_text(self.valid_until)}")

    def action(self, frame: DecisionFrame, rules: Rules, action_key: str | None) -> TypedAction:
        """Return the action: as it was simulated, or as the decision's is written out for the account now.

        Args:
            frame: The account now.
            rules: The catalogue in force.
            action_key: Of a decision, which of its action and alternatives; None for its action.

        Raises:
            UnknownAction: The source has no such action, or the catalogue no longer has.
            DraftError: The action can't be written out.
        """
        if self.kind == SIMULATION:
            action = parse_action(orjson.dumps(self.content["action"]))
            if action_key not in {None, action.action_key}:
                raise UnknownAction(f"the simulation is of {action.action_key!r}, not of {action_key!r}")
            return action
        winner = self.content["action"]
        proposed = [] if winner is None else [winner["key"]]
        proposed += [one["action"]["key"] for one in self.content["alternatives"]]
        key = action_key or (None if winner is None else winner["key"])
        if key is None or key not in proposed:
            shown = ", ".join(proposed) or "nothing"
            raise UnknownAction(
                f"the decision proposed {shown}, and not {key!r}" if key else "it proposed nothing"
            )
        return draft(rules.situation(frame, key))


async def read_source(ledger: Ledger, kind: str, source_id: str) -> Source:
    """Return the simulation of one action, or the decision, with this id.

    Raises:
        UnknownSource: There is none.
        EntryErased: Its content was erased.
        LedgerUnavailable: The ledger does not answer.
    """
    entry = await ledger.read(kind, source_id)
    if entry is None or entry.account_id is None:
        raise UnknownSource(f"the ledger has no {kind} {source_id!r} of one action")
    content = dict(entry.content["answer"] if kind == DECISION else entry.content)
    return Source(
        kind=kind,
        source_id=source_id,
        account_id=entry.account_id,
        proposed_by=content.get("proposed_by"),
        valid_until=dt.datetime.fromisoformat(content["valid_until"]),
        content=content,
        surface=entry.content["frame"]["surface"] if kind == DECISION else None,
    )


async def find_source(ledger: Ledger, source_id: str) -> Source:
    """Return the simulation or else the decision with this id; raises as `read_source` does."""
    try:
        return await read_source(ledger, SIMULATION, source_id)
    except UnknownSource:
        pass
    try:
        return await read_source(ledger, DECISION, source_id)
    except UnknownSource:
        raise UnknownSource(
            f"the ledger has no simulation of one action, and no decision, {source_id!r}"
        ) from None


async def approve(
    ledger: Ledger, source: Source, actor: str, now: dt.datetime, note: str | None
) -> dict[str, Any]:
    """Record that *actor* agrees to what *source* proposes; once more is the same as once.

    Raises:
        OwnProposal: It is *actor*'s own proposal.
        Expired: It is too late.
        LedgerUnavailable: The ledger does not answer.
    """
    source.require_valid(now)
    if actor == source.proposed_by:
        raise OwnProposal(f"{actor} simulated it; somebody else must approve it")
    record_id = f"{source.source_id}:{actor}"

    def work(transaction: Any) -> dict[str, Any]:  # noqa: ANN401 -- the ledger's transaction
        known = transaction.get(APPROVAL, record_id)
        if known is not None:
            return dict(known.content)
        content = {
            "source": {"kind": source.kind, "id": source.source_id},
            "account_id": source.account_id,
            "approved_by": actor,
            "approved_at": utc_text(now),
            "note": note,
        }
        transaction.add(Entry(APPROVAL, record_id, source.account_id, now, content))
        return content

    return await ledger.transact(work)


async def approvals_of(ledger: Ledger, source: Source) -> list[dict[str, str]]:
    """Return who agreed to *source* and when, earliest first.

    Raises:
        LedgerUnavailable: The ledger does not answer.
    """
    entries = await ledger.of_account(source.account_id, (APPROVAL,), MOST_APPROVALS)
    return [
        {"by": entry.content["approved_by"], "at": entry.content["approved_at"]}
        for entry in reversed(entries)
        if entry.content["source"]["id"] == source.source_id
    ]
