"""The reference page of actions says what the types say."""

from __future__ import annotations

from pathlib import Path

from serving.actions.reference import render
from serving.actions.types import TYPES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "actions.md"


def test_the_page_is_current() -> None:
    """`docs/reference/actions.md` is what the types render to; the page's opening says how to renew it."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_every_member_of_every_type_is_on_the_page() -> None:
    """No member is left undocumented."""
    text = render()
    for name, one in TYPES.items():
        section = text.split(f"## `{name}`\n")[1].split("\n## ")[0]
        assert all(f"| `{member}` |" in section for member in one.model_fields)
