"""`docs/reference/actions.md`, written from the types so that it can't say anything else.

`python -m serving.actions.reference > docs/reference/actions.md` renews it.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from serving.actions.types import TYPES, Situation, draft, message_of, schema_of
from serving.decisions.catalogue import load_catalogue
from serving.decisions.catalogue.vocabulary import EVERY_TEMPLATE_VALUE, TEMPLATE_VALUES
from serving.decisions.frame import DecisionFrame

if TYPE_CHECKING:
    from serving.actions.types import TypedAction

EXAMPLE: Final[dict[str, Any]] = {
    "plan": "team",
    "seats": 20,
    "mrr": 259.0,
    "discount_ratio": 0.0,
    "region": "europe",
    "locale": "en-US",
    "timezone": "Europe/Berlin",
    "quiet_hours_start": 20,
    "quiet_hours_end": 7,
    "seat_utilisation_ratio": 0.95,
}
NOW: Final = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)

_OPENING: Final = """\
# Actions

The ten types of actions: what each says, what leaves when it is applied, and what undoes it.

This page is made from the types in `serving/actions/types/`: `python -m serving.actions.reference >
docs/reference/actions.md`. `GET /v1/actions/schemas` is the same as one JSON Schema (draft 2020-12) that `type` tells
apart, `GET /v1/actions/schemas/{type}` that of one type.

Unknown members are refused. Times are RFC 3339 with their zone. Money is `{"amount_minor": 1999, "currency": "USD"}`: a
whole number of the currency's smallest unit. The examples are drafts of the packaged catalogue's actions for an account
on the plan `team` with 20 seats; `{"action_key": ..., "account_id": ...}` in `POST /v1/actions/simulate` gives such a
draft.

| type | sells | leaves as | undone by |
|---|---|---|---|
"""


def example_frame() -> DecisionFrame:
    """Return the account of the examples."""
    return DecisionFrame(
        account_id="acme-0042",
        now=NOW,
        surface=None,
        features=EXAMPLE,
        churn_probability={"90d": 0.4},
        upsell_probability={"90d": 0.2},
        score_horizon="90d",
        evidence_status="full",
        evidence={"status": "full"},
        fresh_until=None,
        model="keepgrow:example",
        feature_contract="sha256:example",
    )


def render() -> str:
    """Return the page."""
    frame, catalogue = example_frame(), load_catalogue()
    drafted: dict[str, tuple[TypedAction, Situation]] = {}
    for entry in catalogue.actions:
        situation = Situation(frame, catalogue, entry)
        drafted.setdefault(entry.type, (draft(situation), situation))
    lines = [_OPENING + "\n".join(_row(name, drafted[name][0]) for name in TYPES), ""]
    for name in TYPES:
        lines += _section(name, *drafted[name])
    return "\n".join(lines)


def _row(name: str, action: TypedAction) -> str:
    forms = [action]
    if name == "start_trial_or_upgrade":
        forms.append(
            action.model_copy(update={"mode": "upgrade", "trial_ends_at": None, "auto_revert": False})
        )
    leaves = ", ".join(
        f"`{effect.type}`" + ("" if effect.due_at is None else " (when it is due)")
        for form in forms
        for effect in form.side_effects()
    )
    inverses = [inverse for form in forms if (inverse := form.inverse()) is not None]
    undone = ", ".join(f"`{inverse.type}`" for inverse in inverses)
    if not inverses:
        undone = "nothing once a mail has left; a hint by `keepgrow.guide.withdrawn`"
    return f"| [`{name}`](#{name}) | {'yes' if TYPES[name].sells else 'no'} | {leaves} | {undone} |"


def _section(name: str, action: TypedAction, situation: Situation) -> list[str]:
    schema = schema_of(name)
    required = set(schema.get("required", ()))
    lines = [
        f"## `{name}`", "", (TYPES[name].__doc__ or "").strip(), "", "| member | type | meaning |", "|---|---|---|",
    ]  # fmt: skip
    for member, one in schema["properties"].items():
        optional = "" if member in required else "; may be left out"
        lines.append(f"| `{member}` | {_kind(one)}{optional} | {one.get('description', '')} |")
    words = message_of(action, situation)
    names = ", ".join(f"`{{{word}}}`" for word in (*TEMPLATE_VALUES[name], *EVERY_TEMPLATE_VALUE))
    lines += [
        "", f"Messages may name {names}, and the action's `parameters`.", "", f"> {action.read_back()}", "",
    ]  # fmt: skip
    if words is not None:
        lines += [f"The customer reads: {words[1]}", ""]
    lines += ["```json", json.dumps(action.model_dump(mode="json"), indent=1, ensure_ascii=False), "```", ""]
    return lines


def _kind(schema: dict[str, Any]) -> str:
    """Return the type of a member in words."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return _OBJECTS[schema["$ref"].rpartition("/")[2]]
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}"
    bounds = [f"at least {schema['minimum']}"] if "minimum" in schema else []
    bounds += [f"at most {schema['maximum']}"] if "maximum" in schema else []
    word = "time" if schema.get("format") == "date-time" else _WORDS[schema["type"]]
    return word + (f", {' and '.join(bounds)}" if bounds else "")


_OBJECTS: Final = {"Money": "money", "Arm": "objects with `name` and `share`"}
_WORDS: Final = {
    "integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null",
}  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(render())
