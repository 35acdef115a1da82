"""Files of checks are read strictly, and every fault is named with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.scoring.verification.document import load_verification, parse_verification
from serving.scoring.verification.errors import VerificationError

if TYPE_CHECKING:
    from pathlib import Path

CHECK = "{id: one, concerns: churn, when: mrr == 0.0, effect: note, text: It pays nothing.}"


def test_the_packaged_checks_are_readable_and_named_once() -> None:
    """The packaged file is of the form, and its hash does not depend on layout."""
    document = load_verification()
    assert len({check.id for check in document.checks}) == len(document.checks) >= 5
    assert document.hash == parse_verification(document.model_dump_json(), "the same as JSON").hash


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"name: x\nchecks: [{CHECK.replace('note', 'refuse')}]", "checks.0.effect: Input should be 'thin' or 'note'"),
        (f"name: x\nchecks: [{CHECK.replace('churn', 'mood')}]", "checks.0.concerns: Input should be 'churn'"),
        (f"name: x\nchecks: [{CHECK}, {CHECK}]", "checks are given twice: one"),
        (f"name: x\nchecks: [{CHECK}]\nlimit: 3", "limit: Extra inputs are not permitted"),
        ("name: x\nchecks: [{id: one}]", "checks.0.when: Field required"),
        ("name: [", "not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_named(text: str, named: str) -> None:
    """An unknown effect, concern or key, a repeated id, a missing field and what is no YAML are refused by name."""
    with pytest.raises(VerificationError) as caught:
        parse_verification(text, "checks.yaml")
    assert named in str(caught.value)
    assert str(caught.value).startswith("checks.yaml: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path is in the error."""
    with pytest.raises(VerificationError, match="there is no such file of checks"):
        load_verification(tmp_path / "none.yaml")
