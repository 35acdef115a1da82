"""What is due, by values and the time alone."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from serving.triggers.compiled import Playbooks
from serving.triggers.document import PlaybooksDocument
from serving.triggers.planning import Plan, plan
from serving.triggers.workflow import Workflow, planned
from tests.serving.decisions.frames import frame
from tests.serving.triggers.services import CATALOGUE, NOTE, document
from tests.serving.triggers.worlds import FIELDS, PACKAGED

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
STEPS = [{"key": "first", "actions": [NOTE]}, {"key": "second", "actions": ["success_call"], "after_days": 5}]


def playbooks(**changes: Any) -> Playbooks:
    """Return playbooks of one trigger, whose playbook has two steps and *changes*."""
    content = document()
    content["playbooks"][0] |= {"steps": STEPS, "until": "seats >= 100.0", **changes}
    return Playbooks(PlaybooksDocument.model_validate(content), FIELDS, CATALOGUE)


def begun(rules: Playbooks, at: dt.datetime = NOW) -> Workflow:
    """Return the workflow that the one trigger started at a time."""
    return planned(rules, rules.triggers[0], "acme", values(rules), at, "wfl_1")


def values(rules: Playbooks, **features: Any) -> Any:
    """Return what the rules read of an account."""
    return rules.values(frame(features={"account_age_days": 400, **features}), CATALOGUE)


def at(days: float, *workflows: Workflow, rules: Playbooks | None = None, **features: Any) -> Plan:
    """Return the plan for an account with *workflows*, so many days after `NOW`."""
    rules = rules or playbooks()
    return plan(rules, values(rules, **features), workflows, NOW + dt.timedelta(days=days), fresh=True)


def did(workflow: Workflow, step: str, days: float = 0, outcome: str = "task") -> Workflow:
    """Return *workflow* with a step that came to something so many days after `NOW`."""
    when = (NOW + dt.timedelta(days=days)).isoformat()
    content = {
        "step": step,
        "outcome": outcome,
        "action": NOTE,
        "at": when,
        "reason": {"code": "x", "text": "x"},
    }
    return dataclasses.replace(workflow, steps=[*workflow.steps, content])


def test_a_trigger_starts_its_playbook_once_in_its_cooldown() -> None:
    """Also when the workflow is long over; after the cooldown it starts anew."""
    rules = playbooks()
    assert [one.trigger.id for one in at(0).starts] == ["older"]
    for days, starts in ((0.1, 0), (9.9, 0), (10, 0), (29.9, 0), (30, 1)):
        found = at(days, begun(rules), rules=rules)
        assert len(found.starts) == starts, days
        assert found.fired == ("older",)


def test_a_playbook_runs_once_at_a_time() -> None:
    """Another trigger of the same playbook waits until the first workflow is over."""
    content = document()
    other = {**content["triggers"][0], "id": "other", "when": "seats >= 1.0"}
    content["triggers"].append(other)
    rules = Playbooks(PlaybooksDocument.model_validate(content), FIELDS, CATALOGUE)
    assert [one.trigger.id for one in at(0, rules=rules).starts] == ["older"]
    assert at(5, begun(rules), rules=rules).starts == ()
    assert [one.trigger.id for one in at(11, begun(rules), rules=rules).starts] == ["other"]


def test_a_step_is_due_from_its_day_until_it_is_done_or_the_next_is_due() -> None:
    """What came to nothing is due again; what was done is not."""
    rules = playbooks()
    one = begun(rules)

    def due(days: float, workflow: Workflow) -> list[str]:
        return [found.step.key for found in at(days, workflow, rules=rules).due]

    assert due(0, one) == due(4.9, one) == ["first"]
    assert due(5, one) == due(9.9, one) == ["second"]
    assert due(10, one) == []
    assert due(2, did(one, "first", outcome="nothing")) == ["first"]
    assert due(2, did(one, "first")) == []
    assert due(5, did(one, "first")) == ["second"]


def test_a_workflow_ends_when_its_aim_is_reached() -> None:
    """Then nothing of it is due any more; where the aim is reached already, none is started."""
    rules = playbooks()
    found = at(1, begun(rules), rules=rules, seats=100)
    assert [one.workflow_id for one in found.ends] == ["wfl_1"]
    assert (found.due, found.starts) == ((), ())
    assert at(0, seats=100).starts == ()


def test_what_is_not_known_fires_nothing_and_is_named() -> None:
    """A missing value neither starts nor ends a workflow."""
    rules = playbooks()
    found = at(0, account_age_days=None)
    assert (found.starts, found.fired, found.unknown) == ((), (), (("older", "account_age_days"),))
    assert at(1, begun(rules), rules=rules, seats=None).ends == ()


def test_nothing_is_done_on_old_features() -> None:
    """Neither start nor step nor end rests on what may be no longer true."""
    rules = playbooks()
    found = plan(rules, values(rules, seats=100), [begun(rules)], NOW, fresh=False)
    assert found.empty
    assert found.fired == ()


def test_after_one_thing_was_done_the_others_wait() -> None:
    """For `rest_hours`, whatever else is due; a workflow may begin meanwhile."""
    rules = playbooks()
    busy = did(begun(rules, NOW - dt.timedelta(days=40)), "first", days=0)
    assert at(0.5, busy, rules=rules).resting
    assert len(at(0.5, busy, rules=rules).starts) == 1
    waiting = begun(rules)
    assert at(0.5, busy, waiting, rules=rules).due == ()
    assert len(at(0.9, busy, waiting, rules=rules).due) == 1


def test_the_workflow_says_why_it_was_started_and_what_it_is_to_do() -> None:
    """With the values that the trigger read, the sentence and the day of each step."""
    content = begun(playbooks()).content
    assert content["text"] == "It is 400 days old."
    assert content["values"] == {"account_age_days": 400.0}
    assert content["lifecycle_stage"] == "any"
    assert [step["due_at"] for step in content["plan"]] == ["2026-03-02T12:00:00Z", "2026-03-07T12:00:00Z"]
    assert content["ends_at"] == "2026-03-12T12:00:00Z"


def test_dunning_and_win_back_are_stages_apart_in_which_nothing_is_sold() -> None:
    """The packaged triggers that sell name their stages, and these are not among them; who has left is won back."""
    selling = {key for key, action in CATALOGUE.actions_by_key.items() if action.sells}
    for trigger in PACKAGED.triggers:
        playbook = PACKAGED.playbooks[trigger.trigger.playbook].playbook
        if any(key in selling for step in playbook.steps for key in step.actions):
            assert trigger.trigger.stages, trigger.trigger.id
            assert not {"dunning", "win_back"} & set(trigger.trigger.stages)
            if "left" in trigger.trigger.stages:
                keys = {key for step in playbook.steps for key in step.actions}
                assert all(CATALOGUE.actions_by_key[key].wins_back for key in keys)
