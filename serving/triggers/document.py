"""Playbooks as people write them: a YAML file of lifecycle stages, triggers and workflows. Here is its form."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from feature_repo.contract import canonical_hash
from serving.decisions.cover import CODE
from serving.decisions.documents import naming_faults, read_document
from serving.triggers.errors import PlaybooksError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGED_PLAYBOOKS: Final = Path(__file__).with_name("playbooks.yaml")
Queue = Literal["customer_success", "sales", "watch_list", "executive", "billing"]
"""Whose people take the tasks that a workflow makes."""


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Value):
    """A stage of an account's life; an account is in the first whose condition holds."""

    key: str = Field(pattern=CODE, description="Unique name; `lifecycle_stage` has it.")
    title: str = Field(min_length=1, description="The stage in a few words.")
    when: str = Field(min_length=1, description="CEL expression over the fields of the account.")
    may_be_missing: tuple[str, ...] = Field(
        default=(), description="Fields that the expression compares with `null` itself."
    )


class Trigger(_Value):
    """What starts a workflow: a condition that holds for an account."""

    id: str = Field(pattern=CODE, description="Unique name.")
    sentence: str = Field(
        min_length=1, description="Why it fires, for people; `{field}` stands for a field's value."
    )
    when: str = Field(
        min_length=1, description="CEL expression over the fields of the account; it fires when it is true."
    )
    may_be_missing: tuple[str, ...] = Field(
        default=(),
        description="Fields that the expression compares with `null` itself; without any other it does not fire.",
    )
    stages: tuple[str, ...] = Field(
        default=(), description="Stages of life in which it fires; nothing given: all."
    )
    playbook: str = Field(min_length=1, description="The workflow that it starts.")
    cooldown_days: int = Field(
        ge=1, le=366, description="Days from a start in which it does not fire for the account again."
    )
    queue: Queue = Field(description="Who gets the tasks.")


class Step(_Value):
    """One step of a playbook: it takes the best of a few actions, if any is allowed and worth it."""

    key: str = Field(pattern=CODE, description="Unique name within the playbook.")
    actions: tuple[str, ...] = Field(min_length=1, description="Keys of the catalogue's actions.")
    after_days: int = Field(default=0, ge=0, description="Days after the start at which it is due.")


class Playbook(_Value):
    """A workflow: steps in their order, and what ends it."""

    key: str = Field(pattern=CODE, description="Unique name.")
    title: str = Field(min_length=1, description="What it is, in a few words.")
    aim: str = Field(min_length=1, description="What it should achieve, in a sentence.")
    days: int = Field(ge=1, le=366, description="How long it lasts at most.")
    until: str | None = Field(
        default=None, description="CEL expression over the fields of the account; it ends when this is true."
    )
    may_be_missing: tuple[str, ...] = Field(
        default=(), description="Fields that `until` compares with `null` itself."
    )
    steps: tuple[Step, ...] = Field(
        min_length=1, description="Each is tried until it is done or the next is due."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Playbook:
        days = [step.after_days for step in self.steps]
        if any(first >= second for first, second in pairwise(days)):
            raise ValueError(f"playbook {self.key!r}: each step should be due after the one before")
        if days[-1] >= self.days:
            raise ValueError(
                f"playbook {self.key!r}: step {self.steps[-1].key!r} is due on day {days[-1]}, when it is over"
            )
        twice = _twice(step.key for step in self.steps)
        if twice:
            raise ValueError(f"playbook {self.key!r}: steps are given twice: {twice}")
        if self.until is None and self.may_be_missing:
            raise ValueError(f"playbook {self.key!r}: may_be_missing is of `until`, which is not given")
        return self

    def step(self, key: str) -> Step | None:
        """Return the step with this key, or None."""
        return next((step for step in self.steps if step.key == key), None)


class PlaybooksDocument(_Value):
    """Everything of one file."""

    version: Literal[1] = 1
    name: str = Field(min_length=1, description="Short name of the file's content.")
    same_action_days: int = Field(
        default=28, ge=0, description="Days in which no workflow does the same to an account twice."
    )
    rest_hours: float = Field(
        default=20, ge=0, description="Hours in which workflows do no more than one thing to an account."
    )
    tasks_a_day: dict[Queue, int] = Field(
        default_factory=dict,
        description="Most new tasks of a day (UTC), by queue; what is worth most goes first. Not named: no limit.",
    )
    stages: tuple[Stage, ...] = Field(default=(), description="Stages of an account's life, in order.")
    triggers: tuple[Trigger, ...] = Field(description="In order: what comes first is done first.")
    playbooks: tuple[Playbook, ...]

    @model_validator(mode="after")
    def _consistent(self) -> PlaybooksDocument:
        faults = list(self._faults())
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        for what, names in (
            ("stages", [stage.key for stage in self.stages]),
            ("triggers", [trigger.id for trigger in self.triggers]),
            ("playbooks", [playbook.key for playbook in self.playbooks]),
        ):
            twice = _twice(names)
            if twice:
                yield f"{what} are given twice: {twice}"
        for queue, most in self.tasks_a_day.items():
            if most < 0:
                yield f"tasks_a_day of {queue!r} is {most}, and should be 0 or more"
        playbooks = {playbook.key for playbook in self.playbooks}
        stages = {stage.key for stage in self.stages}
        for trigger in self.triggers:
            if trigger.playbook not in playbooks:
                yield f"trigger {trigger.id!r} starts playbook {trigger.playbook!r}, which there is not"
            for stage in trigger.stages:
                if stage not in stages:
                    yield f"trigger {trigger.id!r} names stage {stage!r}, which there is not"
        for idle in sorted(playbooks - {trigger.playbook for trigger in self.triggers}):
            yield f"playbook {idle!r} is started by no trigger"

    @cached_property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON; comments and layout of the file do not change it."""
        return canonical_hash(self.model_dump(mode="json"))


def _twice(names: Iterator[str] | list[str]) -> str:
    return ", ".join(sorted(name for name, times in Counter(names).items() if times > 1))


def parse_playbooks(text: str, source: str) -> PlaybooksDocument:
    """Return the playbooks that YAML *text* holds; *source* names it in errors.

    Raises:
        PlaybooksError: The text is not YAML, not of this form, or does not fit together; every fault is named.
    """
    with naming_faults(source, "playbooks", PlaybooksError):
        return PlaybooksDocument.model_validate(yaml.safe_load(text))


def load_playbooks(path: Path | None = None) -> PlaybooksDocument:
    """Read the playbooks at *path*, or the packaged ones.

    Raises:
        PlaybooksError: There is no such file, or it can't be read as playbooks.
    """
    path = path or PACKAGED_PLAYBOOKS
    return parse_playbooks(read_document(path, "file of playbooks", PlaybooksError), str(path))
