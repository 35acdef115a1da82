"""`keepgrow triggers`: what is wrong is named before it runs, and cases say what fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from keepgrow.triggers import triggers_app
from serving.triggers.document import PACKAGED_PLAYBOOKS
from serving.triggers.errors import PlaybooksError

if TYPE_CHECKING:
    from pathlib import Path


def test_check_lists_what_is_packaged() -> None:
    """Without a file the packaged playbooks are checked."""
    result = CliRunner().invoke(triggers_app, ["check"])
    assert result.exit_code == 0, result.output
    assert "11 triggers, 11 playbooks" in result.output


def test_check_names_the_trigger_with_a_typo(tmp_path: Path) -> None:
    """The field that there is not, and where."""
    path = tmp_path / "playbooks.yaml"
    path.write_text(PACKAGED_PLAYBOOKS.read_text().replace("overdue_days_max >= 5.0", "overdue_day >= 5.0"))
    result = CliRunner().invoke(triggers_app, ["check", "--playbooks", str(path)])
    assert isinstance(result.exception, PlaybooksError)
    assert "trigger 'payment_past_due': no such field: overdue_day" in str(result.exception)


def test_show_lists_stages_and_steps() -> None:
    """What each playbook does on which day, and what ends it."""
    result = CliRunner().invoke(triggers_app, ["show"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for text in ("win_back", "dunning", "renewal_offer", "days_to_term_end > 90.0, or 90 days"):
        assert text in result.output


def test_the_packaged_cases_hold_and_a_wrong_one_is_an_exit_code(tmp_path: Path) -> None:
    """The exit code is 1 if a case comes out otherwise, and the line says how."""
    runner = CliRunner()
    result = runner.invoke(triggers_app, ["test"])
    assert (result.exit_code, result.output.strip().endswith("0 failed")) == (0, True)
    path = tmp_path / "cases.yaml"
    path.write_text(
        "account: {days_since_last_active: 30}\nnow: 2026-03-02T12:00:00Z\n"
        "cases: [{name: asleep, fires: [limit_proximity]}]\n"
    )
    result = runner.invoke(triggers_app, ["test", str(path)])
    assert result.exit_code == 1
    assert "cases.yaml: asleep: fires: expected limit_proximity, found nothing" in result.output


@pytest.mark.parametrize(
    ("text", "said"), [("cases: [", "not YAML"), ("{}", "account: Field required"), ("[]", "cases: ")]
)
def test_a_file_of_cases_that_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """With the place of the fault."""
    path = tmp_path / "cases.yaml"
    path.write_text(text)
    result = CliRunner().invoke(triggers_app, ["test", str(path)])
    assert isinstance(result.exception, PlaybooksError)
    assert said in str(result.exception)
