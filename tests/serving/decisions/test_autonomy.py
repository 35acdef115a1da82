"""Levels of autonomy: what the policy and the ledger say together, and where an action may be shown and applied."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.decisions.autonomy import (
    IN_SHADOW,
    LEVELS,
    ONLY_SUGGESTED,
    AppliedBy,
    Autonomy,
    Level,
    applied_by,
    effective_level,
    is_person,
    ladder_fault,
    may_apply,
    reaches,
)
from tests.serving.decisions.frames import frame

LEVEL = st.sampled_from(LEVELS)


def section(**content: object) -> Autonomy:
    """Return a section `autonomy`."""
    return Autonomy.model_validate(content)


def test_without_a_section_everything_is_as_it_was() -> None:
    """A policy that says nothing of autonomy lets people apply by one click, and triggers nothing."""
    level = effective_level(Autonomy(), {}, "guide")
    assert level == "one_click"
    assert all(
        ladder_fault(Autonomy(), {}, surface, "guide") is None for surface in (None, "in_app", "email")
    )
    assert [may_apply(level, by) for by in get_args(AppliedBy)] == [True, True, False]


@pytest.mark.parametrize(
    ("level", "surface", "rule"),
    [
        ("shadow", None, IN_SHADOW),
        ("shadow", "account_card", IN_SHADOW),
        ("shadow", "in_app", IN_SHADOW),
        ("suggest", None, None),
        ("suggest", "account_card", None),
        ("suggest", "daily_list", None),
        ("suggest", "in_app", ONLY_SUGGESTED),
        ("suggest", "email", ONLY_SUGGESTED),
        ("one_click", "in_app", None),
        ("unattended", "email", None),
    ],
)
def test_who_sees_an_action_depends_on_its_level(level: Level, surface: str | None, rule: str | None) -> None:
    """Nobody in shadow, the company's people from `suggest` on, customers from `one_click` on."""
    fault = ladder_fault(Autonomy(), {"guide": level}, surface, "guide")
    assert (fault and fault.rule) == rule
    assert fault is None or fault.stage == "arbitration"


@pytest.mark.parametrize(
    ("level", "ways"),
    [
        ("shadow", ()),
        ("suggest", ("simulation",)),
        ("one_click", ("simulation", "decision")),
        ("unattended", ("simulation", "decision", "trigger")),
    ],
)
def test_how_an_action_is_applied_depends_on_its_level(level: Level, ways: tuple[AppliedBy, ...]) -> None:
    """Each level adds one way of applying."""
    assert tuple(by for by in get_args(AppliedBy) if may_apply(level, by)) == ways


def test_a_ceiling_holds_whatever_the_ledger_says() -> None:
    """It caps what was earned at once, of one action only."""
    autonomy = section(actions={"offer": {"ceiling": "suggest"}})
    recorded: dict[str, Level] = {"offer": "unattended", "guide": "unattended"}
    assert effective_level(autonomy, recorded, "offer") == "suggest"
    assert effective_level(autonomy, recorded, "guide") == "unattended"
    assert effective_level(autonomy, {}, "offer") == "suggest"


@given(start=st.sampled_from(LEVELS[:-1]), ceiling=LEVEL, recorded=st.none() | LEVEL)
def test_no_level_is_above_its_ceiling_or_its_record(
    start: Level, ceiling: Level, recorded: Level | None
) -> None:
    """Whatever policy and ledger say, the lower of both holds."""
    autonomy = section(start=start, actions={"guide": {"ceiling": ceiling}})
    level = effective_level(autonomy, {} if recorded is None else {"guide": recorded}, "guide")
    assert reaches(ceiling, level)
    assert reaches(recorded or start, level)
    assert level in {ceiling, recorded or start}


def test_nothing_starts_unattended_or_above_its_ceiling() -> None:
    """The last level is only reached by promotion, and a section that contradicts itself is refused."""
    with pytest.raises(ValidationError, match="start"):
        section(start="unattended")
    with pytest.raises(ValidationError, match="start"):
        section(actions={"guide": {"start": "unattended"}})
    with pytest.raises(ValidationError, match="above `ceiling`"):
        section(actions={"guide": {"start": "one_click", "ceiling": "suggest"}})
    with pytest.raises(ValidationError, match="Extra inputs"):
        section(rule={"week": 4})
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        section(rule={"weeks": 0})


def test_who_is_no_person_applies_as_a_trigger() -> None:
    """The product's own names are known however they are spelt, and need the last level whatever the source."""
    assert applied_by("ann", "decision") == "decision"
    assert applied_by("ann", "simulation") == "simulation"
    assert applied_by("keepgrow:trigger:renewal", "simulation") == "trigger"
    assert not is_person("KeepGrow:x")
    assert is_person("keepgrower@example.com")


def test_levels_of_a_frame_are_those_of_the_ladder() -> None:
    """A frame without levels stands where the policy starts."""
    assert effective_level(Autonomy(), frame().autonomy, "guide") == "one_click"
