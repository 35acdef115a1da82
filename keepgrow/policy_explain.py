"""`keepgrow policy explain DECISION`: what became of each candidate, by which rule, and what that rule looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.ledger_address import LedgerUrl, open_ledger
from serving.ledger.replay import replay
from serving.ledger.transaction import Transaction

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action
    from serving.ledger.replay import Replayed


def explain(
    decision: Annotated[str, typer.Argument(help="Id of the decision.")], ledger: LedgerUrl = None
) -> None:
    """Show what became of each candidate of a past decision: stage, rule, sentence, and the values that it read."""
    import orjson

    with open_ledger(ledger).reading() as connection:
        replayed = replay(Transaction(connection), decision)
    answer = orjson.loads(replayed.recorded)
    console = Console(highlight=False, markup=False)
    console.print(f"decision {decision} of {answer['decided_at']} about account {answer['account_id']}")
    console.print(f"{answer['reason']['code']}: {answer['reason']['text']}", soft_wrap=True)
    table = Table()
    for heading in ("action", "what became of it", "stage", "rule", "why", "what the rule read"):
        table.add_column(heading, overflow="fold")
    for row in explanation(replayed, answer):
        table.add_row(*row)
    console.print(table)
    if not replayed.same:
        console.print("This version decides otherwise: see `keepgrow replay`", soft_wrap=True)


def explanation(replayed: Replayed, answer: dict[str, Any]) -> list[tuple[str, str, str, str, str, str]]:
    """Return a row for each candidate: action, fate, stage, rule, sentence, values.

    Args:
        replayed: The decision and what it was made by.
        answer: The answer as it was given.
    """
    rows = []
    if answer["action"]:
        rows.append(_stood(answer, "proposed"))
    rows += [_stood(alternative, "alternative") for alternative in answer["alternatives"]]
    actions = {action.key: action for action in replayed.rules.catalogue.actions}
    for refusal in answer["refused"]:
        rule = refusal.get("policy_rule")
        read = "" if rule is None else _read(replayed, actions[refusal["action"]], rule)
        rows.append(
            (
                refusal["action"],
                "refused",
                refusal["stage"],
                refusal["rule"] if rule is None else f"{rule} ({refusal['rule']})",
                refusal["text"],
                read,
            )
        )
    return rows


def _stood(proposal: dict[str, Any], fate: str) -> tuple[str, str, str, str, str, str]:
    value = proposal["expected_value"]
    low, high = value["interval_90"]
    worth = f"worth {value['amount']} {value['currency']} (90 %: {low} to {high})"
    drivers = "; ".join(f"{one['feature']} = {one['value']}" for one in proposal["reason"].get("drivers", ()))
    return proposal["action"]["key"], fate, "", proposal["reason"]["code"], worth, drivers


def _read(replayed: Replayed, action: Action, rule_id: str) -> str:
    """Return the fields that a rule read and their values."""
    compiled = next((one for one in replayed.rules.policy.rules if one.rule.id == rule_id), None)
    if compiled is None:
        return ""
    check = replayed.rules.policy.about(replayed.frame, replayed.rules.catalogue).about(action)
    values = []
    for name in dict.fromkeys((*compiled.expression.names, *compiled.shown)):
        value: object = check.value(name)
        values.append(f"{name} = {'not known' if value is None else value}")
    return "; ".join(values)
