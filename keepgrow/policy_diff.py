"""`keepgrow policy diff OLD NEW`: which rules changed, and which past decisions would have come out otherwise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.ledger_address import LedgerUrl, open_ledger
from serving.decisions.decision import Decision
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PolicyDocument, load_policy
from serving.ledger.decisions import DECISION, read_decision
from serving.ledger.replay import Replayer
from serving.ledger.tables import ENTRIES
from serving.ledger.transaction import entries_with_content, entry_of

SHOWN = 20
ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Changed:
    """A past decision that the new policy would have made otherwise."""

    decision_id: str
    account_id: str
    before: str
    after: str


def diff(
    old: Annotated[Path, typer.Argument(help="Policy to compare with.", exists=True, dir_okay=False)],
    new: Annotated[Path, typer.Argument(help="Policy to look at.", exists=True, dir_okay=False)],
    on: Annotated[
        Literal["ledger"] | None, typer.Option(help="`ledger`: also decide past decisions by both.")
    ] = None,
    ledger: LedgerUrl = None,
    limit: Annotated[int, typer.Option(min=1, help="Most past decisions, newest first.")] = 10_000,
) -> None:
    """Show which rules differ between two policies, and which past decisions would have come out otherwise."""
    before, after = load_policy(old), load_policy(new)
    console = Console(highlight=False, markup=False)
    console.print(f"old  {before.hash}\nnew  {after.hash}", soft_wrap=True)
    for line in rule_changes(before, after):
        console.print(line, soft_wrap=True)
    if on is None:
        return
    looked, changed = past_decisions(before, after, ledger, limit)
    share = 100 * len(changed) / looked if looked else 0.0
    console.print(f"{looked} past decisions, {len(changed)} would change ({share:.1f} %)")
    if not changed:
        return
    table = Table("from", "to", "decisions", "for example")
    for (was, would_be), count in Counter((one.before, one.after) for one in changed).most_common(SHOWN):
        example = next(one for one in changed if (one.before, one.after) == (was, would_be))
        table.add_row(was, would_be, str(count), f"{example.decision_id} ({example.account_id})")
    console.print(table)


def rule_changes(old: PolicyDocument, new: PolicyDocument) -> list[str]:
    """Return a line for each rule that was added, removed or changed, and one for holdouts that were."""
    rules = {rule.id: rule for rule in old.rules}, {rule.id: rule for rule in new.rules}
    lines = [f"- rule {name}" for name in rules[0] if name not in rules[1]]
    lines += [f"+ rule {name}" for name in rules[1] if name not in rules[0]]
    for name, rule in rules[1].items():
        was = rules[0].get(name)
        if was is not None and was != rule:
            parts = [part for part in type(rule).model_fields if getattr(was, part) != getattr(rule, part)]
            lines.append(f"~ rule {name}: {', '.join(parts)}")
    others = [
        part
        for part in type(new).model_fields
        if part != "rules" and getattr(old, part) != getattr(new, part)
    ]
    lines += [f"~ {part}" for part in others]
    return lines


def past_decisions(
    old: PolicyDocument, new: PolicyDocument, ledger: str | None, limit: int
) -> tuple[int, list[Changed]]:
    """Return how many past decisions were decided by both policies, and those that come out differently.

    Each is decided with its own frame and catalogue; only the policy is another.

    Raises:
        LedgerError: There is no ledger, or it lacks a document.
        PolicyError: A policy does not fit the features of a past decision.
    """
    wanted = entries_with_content(DECISION).order_by(ENTRIES.c.seq.desc()).limit(limit)
    database = open_ledger(ledger)
    looked, changed = 0, list[Changed]()
    compiled: dict[tuple[int, str], Policy] = {}
    with database.reading() as connection, database.reading() as documents:
        replayer = Replayer(documents)
        for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(wanted):
            entry = entry_of(row)
            frame, _ = read_decision(entry)
            answer = entry.content["answer"]
            rules = replayer.rules(frame, answer["policy"], answer["catalogue"])
            outcomes = []
            for index, document in enumerate((old, new)):
                key = (index, frame.feature_contract)
                if key not in compiled:
                    compiled[key] = Policy(document, rules.fields)
                outcomes.append(_outcome(decide(frame, rules.catalogue, compiled[key])))
            looked += 1
            if outcomes[0] != outcomes[1]:
                changed.append(Changed(entry.record_id, frame.account_id, *outcomes))
    return looked, changed


def _outcome(decision: Decision) -> str:
    """Return what a decision comes to: its action, or nothing and why."""
    return decision.winner.action.key if decision.winner else f"nothing: {decision.reason_code}"
