"""Playbooks are refused by name when they speak of what there is not, and the packaged ones fit what is packaged."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from serving.decisions.catalogue import Catalogue
from serving.triggers.cases import PACKAGED_CASES, CaseFile, load_cases, run_cases
from serving.triggers.compiled import Playbooks
from serving.triggers.document import PlaybooksDocument, load_playbooks, parse_playbooks
from serving.triggers.errors import PlaybooksError
from serving.triggers.fitting import fitted
from tests.serving.triggers.services import CATALOGUE, document
from tests.serving.triggers.worlds import FIELDS, PACKAGED

if TYPE_CHECKING:
    from pathlib import Path

CASES = load_cases(PACKAGED_CASES)


def compiled(content: dict[str, Any]) -> Playbooks:
    """Return *content* compiled against all fields and the packaged catalogue."""
    return Playbooks(PlaybooksDocument.model_validate(content), FIELDS, CATALOGUE)


def changed(part: str, **changes: Any) -> dict[str, Any]:
    """Return the playbooks of the tests with the one trigger, playbook or stage changed."""
    content = copy.deepcopy(document())
    content[part][0] |= changes
    return content


@pytest.mark.parametrize("case", CASES.cases, ids=lambda case: case.name)
def test_each_packaged_trigger_fires_where_it_should_and_on_no_neighbour(case: Any) -> None:
    """Every threshold has a case at it and one right beside it."""
    one = CaseFile.model_validate({**CASES.model_dump(), "cases": [case.model_dump()]})
    assert next(run_cases(one, PACKAGED, CATALOGUE, FIELDS)).faults == ()


def test_every_packaged_trigger_and_stage_has_a_case() -> None:
    """So a new one can't be packaged without."""
    fired = {trigger for case in CASES.cases for trigger in case.fires}
    assert fired == {trigger.trigger.id for trigger in PACKAGED.triggers}
    assert {"payment_past_due", "incident_recovered", "renewal_window", "dormant_account", "limit_proximity",
            "usage_velocity"} <= fired  # fmt: skip
    stages = {case.stage for case in CASES.cases} - {None}
    assert {stage.key for stage in PACKAGED.document.stages} == stages


def test_a_case_that_is_wrong_says_what_was_found() -> None:
    """Else a table of cases would prove nothing."""
    content = CASES.model_dump()
    content["cases"] = [
        {"name": "wrong", "fires": ["dormant_account"], "stage": "left", "starts": ["payment"]}
    ]
    faults = next(run_cases(CaseFile.model_validate(content), PACKAGED, CATALOGUE, FIELDS)).faults
    assert faults == (
        "fires: expected dormant_account, found nothing",
        "stage: expected left, found established",
        "starts: expected payment, found nothing",
    )
    content["cases"] = [{"name": "typo", "account": {"seets": 1}, "fires": ["dormant"]}]
    with pytest.raises(PlaybooksError, match="case 'typo': there is no feature 'seets', trigger 'dormant'"):
        list(run_cases(CaseFile.model_validate(content), PACKAGED, CATALOGUE, FIELDS))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed("triggers", when="acount_age_days >= 1.0"), r"trigger 'older': no such field: acount_age_days"),
        (changed("triggers", when="action_cost > 1.0"), "no such field: action_cost"),
        (changed("triggers", when="account_age_days"), "should be true or false"),
        (changed("triggers", when="plan > 1.0"), "fails for"),
        (changed("triggers", when="account_age_days >="), "is not an expression"),
        (changed("triggers", sentence="{seets} seats"), r"wrong: seets"),
        (changed("triggers", may_be_missing=["seats"]), "may_be_missing names seats"),
        (changed("playbooks", until="seets == 1.0"), "playbook 'look', until: no such field: seets"),
        (
            changed("playbooks", steps=[{"key": "first", "actions": ["cal"]}]),
            "step 'first': names 'cal', which catalogue 'packaged' lacks",
        ),
        (changed("stages", when="lifecycle_stage == 'any'"), "stage 'any': no such field: lifecycle_stage"),
    ],
)  # fmt: skip
def test_what_can_not_run_is_an_error_when_it_is_loaded(content: dict[str, Any], said: str) -> None:
    """A typo in a field, a wrong type or an unknown action never waits for an account to meet it."""
    with pytest.raises(PlaybooksError, match=said):
        compiled(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed("triggers", playbook="lok"), "starts playbook 'lok', which there is not"),
        (changed("triggers", stages=["some"]), "names stage 'some', which there is not"),
        (changed("triggers", queue="nobody"), "triggers.0.queue"),
        (changed("triggers", cooldown=3), "triggers.0.cooldown"),
        (changed("playbooks", days=1, steps=[{"key": "a", "actions": ["x"], "after_days": 1}]), "when it is over"),
        (
            changed("playbooks", steps=[{"key": "a", "actions": ["x"]}, {"key": "b", "actions": ["x"]}]),
            "each step should be due after the one before",
        ),
        (document(triggers=[]), "playbook 'look' is started by no trigger"),
        (document(triggers=document()["triggers"] * 2), "triggers are given twice: older"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_named(content: dict[str, Any], said: str) -> None:
    """The file is refused as a whole, with the place of each fault."""
    with pytest.raises(PlaybooksError, match=said):
        parse_playbooks(str(content), "playbooks.yaml")


def test_the_packaged_playbooks_are_cut_down_to_a_catalogue_of_ones_own(tmp_path: Path) -> None:
    """A company without the packaged actions starts all the same; a file of its own must fit as it stands."""
    content = CATALOGUE.model_dump()
    content["actions"] = [one for one in content["actions"] if one["key"] == "success_call"]
    calls = Catalogue.model_validate(content)
    fields = {name: field for name, field in FIELDS.items() if name != "overdue_days_max"}
    playbooks, left_out = fitted(None, load_playbooks(), fields, calls)
    assert {action for one in playbooks.playbooks.values() for step in one.playbook.steps for action in step.actions} \
        == {"success_call"}  # fmt: skip
    assert "playbook 'right_sizing'" in left_out
    assert "trigger 'limit_proximity'" in left_out
    assert "trigger 'payment_past_due'" in left_out
    with pytest.raises(PlaybooksError, match=r"overdue_days_max.*'add_seats'"):
        fitted(tmp_path, load_playbooks(), fields, calls)


def test_equal_playbooks_have_equal_hashes_whatever_their_layout() -> None:
    """The hash is that of the content; any change of it is another hash."""
    one = parse_playbooks(str(document()), "a")
    assert one.hash == PlaybooksDocument.model_validate(document()).hash
    assert one.hash != PlaybooksDocument.model_validate(changed("triggers", cooldown_days=31)).hash


def test_each_step_chooses_from_a_catalogue_of_its_own_that_can_be_kept() -> None:
    """Its hash is that of its content, so that decisions by it can be replayed."""
    catalogues = PACKAGED.catalogues
    assert len({one.hash for one in catalogues}) == len(catalogues)
    for one in catalogues:
        assert Catalogue.model_validate(one.canonical).hash == one.hash
        assert set(one.actions_by_key) < set(CATALOGUE.actions_by_key)
