"""Fits playbooks to a company: a file of its own as it stands, the packaged one cut down to what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.triggers.compiled import Playbooks
from serving.triggers.conditions import (
    LIFECYCLE_STAGE,
    STAGE_FIELD,
    account_fields,
    compile_condition,
    compile_trigger,
)
from serving.triggers.document import PlaybooksDocument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from serving.decisions.catalogue import Catalogue
    from serving.decisions.policy.fields import Field
    from serving.triggers.document import Step


def fitted(
    path: Path | None, document: PlaybooksDocument, fields: Mapping[str, Field], catalogue: Catalogue
) -> tuple[Playbooks, tuple[str, ...]]:
    """Return playbooks for a company's own catalogue and features, and what was left out of the packaged ones.

    A file of one's own must fit as it stands. The packaged one is cut down to actions and fields that there are, so
    that a company with a catalogue of its own need not write playbooks at once.

    Args:
        path: The file of one's own; None for the packaged one.
        document: What it holds.
        fields: Fields of decisions.
        catalogue: What can be done.

    Raises:
        PlaybooksError: Something of the file does not fit; every fault is named.
    """
    if path is not None:
        return Playbooks(document, fields, catalogue), ()
    known = account_fields(fields)
    with_stage = {**known, LIFECYCLE_STAGE: STAGE_FIELD}
    left_out: list[str] = []
    stages = [one for one in document.stages if _fits(one.when, known, one.may_be_missing)]
    playbooks = []
    for playbook in document.playbooks:
        steps = tuple(cut for step in playbook.steps if (cut := _cut(step, catalogue)))
        until = playbook.until
        if steps and (until is None or _fits(until, with_stage, playbook.may_be_missing)):
            playbooks.append(playbook.model_copy(update={"steps": steps}))
        else:
            left_out.append(f"playbook {playbook.key!r}")
    triggers = []
    for trigger in document.triggers:
        faults: list[str] = []
        compile_trigger(trigger, "", with_stage, faults)
        there = tuple(one for one in trigger.stages if any(stage.key == one for stage in stages))
        stays = any(playbook.key == trigger.playbook for playbook in playbooks)
        if stays and not faults and bool(there) == bool(trigger.stages):
            triggers.append(trigger.model_copy(update={"stages": there}))
        else:
            left_out.append(f"trigger {trigger.id!r}")
    started = {trigger.playbook for trigger in triggers}
    cut_down = PlaybooksDocument(
        name=document.name,
        same_action_days=document.same_action_days,
        rest_hours=document.rest_hours,
        tasks_a_day=document.tasks_a_day,
        stages=tuple(stages),
        triggers=tuple(triggers),
        playbooks=tuple(one for one in playbooks if one.key in started),
    )
    return Playbooks(cut_down, fields, catalogue), tuple(left_out)


def _cut(step: Step, catalogue: Catalogue) -> Step | None:
    actions = tuple(key for key in step.actions if key in catalogue.actions_by_key)
    return step.model_copy(update={"actions": actions}) if actions else None


def _fits(source: str, fields: Mapping[str, Field], may_be_missing: Sequence[str]) -> bool:
    return compile_condition(source, "", fields, may_be_missing, []) is not None
