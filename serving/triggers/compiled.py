"""Playbooks ready to run: for the frame of an account its stage of life, what fires, and which aims are reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.decisions.catalogue import Catalogue
from serving.triggers.conditions import (
    LIFECYCLE_STAGE,
    NO_STAGE,
    STAGE_FIELD,
    CompiledTrigger,
    Condition,
    account_fields,
    compile_condition,
    compile_trigger,
    compile_until,
)
from serving.triggers.errors import PlaybooksError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.fields import Field, Value
    from serving.triggers.document import Playbook, PlaybooksDocument, Step


@dataclass(frozen=True, slots=True)
class CompiledPlaybook:
    """A playbook with what ends it, and the catalogue that each of its steps chooses from.

    Attributes:
        playbook: As it was written.
        until: When it has reached its aim; None if only time ends it.
        catalogues: The catalogue with the step's actions only, by the key of the step.
    """

    playbook: Playbook
    until: Condition | None
    catalogues: Mapping[str, Catalogue]

    def reached(self, values: Mapping[str, Value]) -> bool:
        """Return whether an account with these values is where the playbook should bring it."""
        return self.until is not None and self.until.holds(values)


class Playbooks:
    """Playbooks that were compiled against the fields of a bundle's contract and the actions of a catalogue."""

    def __init__(
        self, document: PlaybooksDocument, fields: Mapping[str, Field], catalogue: Catalogue
    ) -> None:
        """Compile *document*.

        Args:
            document: The playbooks.
            fields: Fields of decisions; those of actions can't be used here.
            catalogue: What can be done.

        Raises:
            PlaybooksError: Something is wrong; every fault is named.
        """
        self.document = document
        self.name = document.name
        self.hash = document.hash
        known = account_fields(fields)
        with_stage = {**known, LIFECYCLE_STAGE: STAGE_FIELD}
        faults: list[str] = []
        owner = f"playbooks {document.name!r}"
        self._stages = [
            (stage.key, condition)
            for stage in document.stages
            if (condition := compile_condition(
                stage.when, f"{owner}, stage {stage.key!r}", known, stage.may_be_missing, faults
            ))
        ]  # fmt: skip
        triggers = [compile_trigger(trigger, owner, with_stage, faults) for trigger in document.triggers]
        playbooks = [_playbook(one, owner, with_stage, catalogue, faults) for one in document.playbooks]
        if faults:
            raise PlaybooksError("; ".join(faults))
        self.triggers: tuple[CompiledTrigger, ...] = tuple(one for one in triggers if one is not None)
        self.playbooks: Mapping[str, CompiledPlaybook] = {
            one.playbook.key: one for one in playbooks if one is not None
        }
        conditions = [condition for _, condition in self._stages]
        conditions += [trigger.condition for trigger in self.triggers]
        conditions += [one.until for one in self.playbooks.values() if one.until is not None]
        used = {name for condition in conditions for name in condition.expression.names}
        used |= {name for trigger in self.triggers for name in trigger.shown}
        self._fields = [known[name] for name in sorted(used - {LIFECYCLE_STAGE})]

    def values(self, frame: DecisionFrame, catalogue: Catalogue) -> dict[str, Value]:
        """Return all that conditions and sentences read of the account of *frame*, its stage of life included."""
        values: dict[str, Value] = {
            field.name: field.of_frame(frame, catalogue) for field in self._fields if field.of_frame
        }
        values[LIFECYCLE_STAGE] = next(
            (key for key, condition in self._stages if condition.holds(values)), NO_STAGE
        )
        return values

    @property
    def catalogues(self) -> list[Catalogue]:
        """Every catalogue that a step chooses from."""
        return [found for one in self.playbooks.values() for found in one.catalogues.values()]

    @property
    def longest_days(self) -> int:
        """How far back one must look to know what is still open, cooling down, or done lately."""
        days = [one.playbook.days for one in self.playbooks.values()]
        days += [one.trigger.cooldown_days for one in self.triggers]
        return max([*days, self.document.same_action_days]) + 1


def _playbook(
    playbook: Playbook,
    owner: str,
    fields: Mapping[str, Field],
    catalogue: Catalogue,
    faults: list[str],
) -> CompiledPlaybook | None:
    before = len(faults)
    until = compile_until(playbook, owner, fields, faults)
    for step in playbook.steps:
        unknown = [key for key in step.actions if key not in catalogue.actions_by_key]
        if unknown:
            faults.append(
                f"{owner}, playbook {playbook.key!r}, step {step.key!r}: names {', '.join(map(repr, unknown))}, "
                f"which catalogue {catalogue.name!r} lacks"
            )
    if len(faults) > before:
        return None
    return CompiledPlaybook(
        playbook, until, {step.key: _only(catalogue, playbook, step) for step in playbook.steps}
    )


def _only(catalogue: Catalogue, playbook: Playbook, step: Step) -> Catalogue:
    """Return *catalogue* with the actions of *step* only; its name says so, and its hash is its own."""
    content = catalogue.model_dump()
    content["name"] = f"{catalogue.name}: {playbook.key}, {step.key}"
    content["actions"] = [action for action in content["actions"] if action["key"] in step.actions]
    return Catalogue.model_validate(content)
