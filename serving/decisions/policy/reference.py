"""`docs/reference/policy.md`, written from the packaged policy and from the code, so that it can't say anything else.

`python -m serving.decisions.policy.reference > docs/reference/policy.md` renews it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from serving.decisions.policy.commercial_fields import COMMERCIAL_FIELDS
from serving.decisions.policy.document import PolicyDocument, load_policy
from serving.decisions.policy.fields import ACCOUNT_FIELDS, ACTION_FIELDS
from serving.decisions.policy.sections import section_rules
from serving.decisions.policy.stages import RULE_STAGES, STAGES

if TYPE_CHECKING:
    from serving.decisions.caps import Cap
    from serving.decisions.cover import Cover
    from serving.decisions.policy.document import Rule

_OPENING: Final = """\
# The packaged policy

What `serving/decisions/policy/policy.yaml` says, and what rules may speak of. This page is made from both:
`python -m serving.decisions.policy.reference > docs/reference/policy.md`.
[Write a rule](../how-to/write-a-rule.md) explains the form, [Decisions](../concepts/decisions.md) the stages.
"""


def render() -> str:
    """Return the page."""
    policy = load_policy()
    lines = [_OPENING, "## Sections", "", "| section | what it says |", "|---|---|"]
    lines += [
        f"| `{name}` | {_cell(field.description or '')} |"
        for name, field in PolicyDocument.model_fields.items()
        if field.description
    ]
    lines += [
        "",
        "## Rules",
        "",
        f"In the order of the stages: {', '.join(f'`{stage}`' for stage in STAGES)}.",
    ]
    of_policy = [*policy.rules, *section_rules(policy)]
    for stage in RULE_STAGES:
        here = [rule for rule in of_policy if rule.stage == stage]
        lines += [
            "",
            f"### `{stage}`",
            "",
            "| rule | covers | requires | code, and what a refusal says |",
            "|---|---|---|---|",
        ]
        lines += [_rule(rule) for rule in here]
    lines += [
        "",
        "## Caps and budgets",
        "",
        "| cap | covers | at most | counted for each | beyond it |",
        "|---|---|---|---|---|",
    ]
    lines += [_cap(cap) for cap in policy.caps]
    lines += ["", "## What rules may speak of", ""]
    lines += [
        "Beside these, each served [feature](features.md) by its name, and `churn_probability_DAYSd` and",
        "`upsell_probability_DAYSd` for the horizons of the bundle. A field is null where its value is not known;",
        "`keepgrow policy fields` lists those of a bundle.",
        "",
        "| field | type | what it is |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{field.name}` | {field.kind} | {_cell(field.description)} |"
        for field in sorted(
            (*ACCOUNT_FIELDS, *ACTION_FIELDS, *COMMERCIAL_FIELDS), key=lambda field: field.name
        )
    ]
    return "\n".join(lines) + "\n"


def _rule(rule: Rule) -> str:
    said = f"`{rule.reason_code}`: {_cell(rule.text)}"
    return f"| `{rule.id}` | {_covers(rule.covers)} | `{_cell(rule.require)}` | {said} |"


def _cap(cap: Cap) -> str:
    most = f"{cap.limit:g} {cap.unit.replace('_', ' ')} in {cap.window_days:g} days"
    apart = " and ".join(cap.per) or "the whole company"
    return f"| `{cap.id}` | {_covers(cap.covers)} | {most} | {apart} | {cap.on_breach} |"


def _covers(cover: Cover) -> str:
    return ", ".join(f"`{name}`" for name in cover.named) or "all actions"


def _cell(text: str) -> str:
    """Return *text* for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
