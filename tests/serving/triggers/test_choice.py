"""What a step comes to for one account, by the same rules as every decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from serving.triggers.choice import Choice, choose
from serving.triggers.compiled import Playbooks
from serving.triggers.document import PlaybooksDocument
from serving.triggers.planning import Due
from serving.triggers.workflow import planned
from tests.serving.actions.worlds import RULES, account
from tests.serving.triggers.services import CATALOGUE, document
from tests.serving.triggers.worlds import FIELDS

if TYPE_CHECKING:
    from serving.decisions.frame import DecisionFrame


def chosen(frame: DecisionFrame, *actions: str) -> Choice:
    """Return what a step with *actions* comes to for the account of *frame*, which has no other workflow."""
    content: dict[str, Any] = document()
    content["playbooks"][0]["steps"] = [{"key": "first", "actions": list(actions)}]
    rules = Playbooks(PlaybooksDocument.model_validate(content), FIELDS, CATALOGUE)
    workflow = planned(
        rules, rules.triggers[0], frame.account_id, rules.values(frame, CATALOGUE), frame.now, "wfl_1"
    )
    playbook = rules.playbooks["look"]
    due = Due(workflow, playbook, playbook.playbook.steps[0])
    return choose(due, frame, [workflow], RULES, 28)


def test_the_best_of_the_steps_actions_is_chosen_and_no_other() -> None:
    """What would be better is none of the step's business."""
    assert chosen(account(), "in_app_guide", "add_seats").key == "in_app_guide"
    assert chosen(account(), "add_seats").key == "add_seats"


@pytest.mark.parametrize(
    ("level", "outcome"),
    [("shadow", "nothing"), ("suggest", "task"), ("one_click", "task"), ("unattended", "applied")],
)
def test_the_ladder_says_whether_it_is_applied_or_a_task(level: str, outcome: str) -> None:
    """Only what has come to `unattended` is applied with nobody asked."""
    assert chosen(account(autonomy={"add_seats": level}), "add_seats").outcome == outcome


def test_a_discount_waits_for_every_remedy_without_one() -> None:
    """Also for those that the step does not name: a workflow is no way around the policy."""
    risky = account(churn=0.6)
    found = chosen(risky, "renewal_offer")
    assert (found.outcome, found.code, found.decision) == ("nothing", "non_discount_first", None)
    assert chosen(risky, "renewal_offer", "success_call").key == "success_call"


def test_what_a_used_up_budget_lets_be_prepared_only_is_no_task() -> None:
    """People whose time is used up are given nothing more; it is tried again when there is time."""
    found = chosen(account(churn=0.6, caps_used={"minutes_of_customer_success": 6000}), "success_call")
    assert (found.outcome, found.code, found.text) == (
        "nothing",
        "budget_used_up",
        "Used up: minutes_of_customer_success",
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"evidence_status": "thin"}, "evidence_thin"),
        ({"features": {"invoices_overdue": 1}}, "payment_due"),
        ({"features": {"incident_active": True}}, "incident_active"),
        ({"caps_used": None}, "caps_unknown"),
    ],
)
def test_rules_and_caps_hold(changes: dict[str, Any], code: str) -> None:
    """A step is a decision like any other."""
    found = chosen(account(**changes), "add_seats")
    assert (found.outcome, found.code) == ("nothing", code)
