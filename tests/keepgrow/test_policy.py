"""`keepgrow policy` checks, tests and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner, Result

from keepgrow.policy import policy_app
from keepgrow.policy_diff import rule_changes
from serving.decisions.policy.cases import PACKAGED_CASES
from serving.decisions.policy.document import PACKAGED_POLICY, PolicyDocument, load_policy
from serving.errors import PolicyError

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: str) -> Result:
    """Return what `keepgrow policy WORDS` does on a wide terminal."""
    return CliRunner().invoke(policy_app, list(words), env={"COLUMNS": "250"})


def test_check_shows_every_rule_of_the_packaged_policy() -> None:
    """The rules appear in the order of their stages."""
    result = run("check")
    assert result.exit_code == 0
    assert f"{len(load_policy().rules)} rules, and 1 of exceptions, release windows" in result.stdout
    assert result.stdout.index("evidence_fresh") < result.stdout.index("quiet_hours")


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    """A typo in a field ends the check with the rule and the field."""
    wrong = tmp_path / "policy.yaml"
    text = PACKAGED_POLICY.read_text(encoding="utf-8")
    wrong.write_text(
        text.replace("surface in action_surfaces", "surface in action_surface"), encoding="utf-8"
    )
    result = run("check", "--policy", str(wrong))
    assert isinstance(result.exception, PolicyError)
    assert "rule 'shown_here': no such field: action_surface" in str(result.exception)


def test_the_packaged_cases_pass() -> None:
    """Exit code 0, and the number of cases."""
    result = run("test")
    assert result.exit_code == 0
    assert "cases, 0 failed" in result.stdout


def test_a_case_that_fails_is_shown_and_makes_the_exit_code_1(tmp_path: Path) -> None:
    """Expected and found are both told."""
    content = yaml.safe_load(PACKAGED_CASES.read_text(encoding="utf-8"))
    content["cases"] = [{"name": "wrong", "action": "enablement_guide", "expect": "quiet_hours"}]
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    result = run("test", str(file))
    assert result.exit_code == 1
    assert "wrong: expected quiet_hours, found passes" in result.stdout


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"name": "c", "action": "nosuch", "expect": "passes"}, "has no action 'nosuch'"),
        (
            {"name": "c", "action": "add_seats", "expect": "passes", "account": {"sets": 1}},
            "no such feature: sets",
        ),
    ],
)
def test_a_case_about_what_there_is_not_is_an_error(
    tmp_path: Path, case: dict[str, object], message: str
) -> None:
    """A typo in a case never passes for a pass."""
    content = yaml.safe_load(PACKAGED_CASES.read_text(encoding="utf-8"))
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**content, "cases": [case]}), encoding="utf-8")
    result = run("test", str(file))
    assert isinstance(result.exception, PolicyError)
    assert message in str(result.exception)


def test_fields_lists_features_probabilities_and_fields_of_the_action() -> None:
    """All that a rule may use is in the list, with its type."""
    result = run("fields")
    assert result.exit_code == 0
    for name in ("seats", "churn_probability_90d", "in_quiet_hours", "action_cost"):
        assert name in result.stdout


def test_a_changed_section_is_told() -> None:
    """Exceptions, release windows and regions are compared as rules are."""
    old = load_policy()
    changes = {"regions": {"allowed": ["europe"]}, "release_windows": []}
    new = PolicyDocument.model_validate({**old.model_dump(mode="json"), **changes})
    assert rule_changes(old, new) == ["~ release_windows", "~ regions"]
    assert rule_changes(old, old) == []
