"""The reference page of the policy says what the packaged policy and the code say."""

from __future__ import annotations

from pathlib import Path

from serving.decisions.policy.document import load_policy
from serving.decisions.policy.reference import render

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "policy.md"


def test_the_page_is_current() -> None:
    """`docs/reference/policy.md` is what the policy renders to; the page's opening says how to renew it."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_every_rule_and_cap_is_on_the_page() -> None:
    """Whatever may refuse an action can be looked up by its id."""
    text, policy = render().split("## What rules may speak of")[0], load_policy()
    named = [*(rule.id for rule in policy.rules), *(cap.id for cap in policy.caps)]
    named += [window.id for window in policy.release_windows]
    assert [name for name in named if text.count(f"\n| `{name}` |") != 1] == []
