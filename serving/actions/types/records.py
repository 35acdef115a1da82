"""Actions that no customer sees: an experiment is opened, an account is annotated."""

import datetime as dt
import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from serving.actions.types.base import (
    Fault,
    Key,
    SideEffect,
    Situation,
    Time,
    TypedAction,
    day,
    ends_faults,
    starts_faults,
)
from serving.decisions.catalogue.parameters import MOST_EXPERIMENT_DAYS

CONTROL = "control"


class Arm(BaseModel):
    """One arm of an experiment."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: Key
    share: Annotated[float, Field(gt=0, lt=1, description="Share of those who take part.")]


class OpenExperiment(TypedAction):
    """Open an experiment, beginning with one account."""

    event: ClassVar[str] = "keepgrow.experiment.opened"
    type: Literal["open_experiment"]
    experiment: Annotated[Key, Field(description="Its key in the system that assigns arms.")]
    hypothesis: Annotated[str, Field(min_length=1, max_length=500)]
    metric: Annotated[Key, Field(description="What decides.")]
    arms: Annotated[tuple[Arm, ...], Field(min_length=2, max_length=10, description="One of them `control`.")]
    starts_at: Time
    ends_at: Time

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return an experiment of two equal arms, as the action's parameters name it."""
        days = situation.parameter("days", 60)
        return cls(
            type="open_experiment",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            experiment=situation.parameter("experiment", situation.action.key),
            hypothesis=situation.parameter("hypothesis", situation.action.title),
            metric=situation.parameter("metric", "churn_90d"),
            arms=(Arm(name=CONTROL, share=0.5), Arm(name="treatment", share=0.5)),
            starts_at=situation.now,
            ends_at=situation.now + dt.timedelta(days=days),
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield arms that don't add up or lack a control, and impossible dates."""
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            yield Fault("/arms", "named_twice", "each arm should have a name of its own")
        if CONTROL not in names:
            yield Fault("/arms", "no_control", f"one arm should be named {CONTROL!r}")
        total = math.fsum(arm.share for arm in self.arms)
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            yield Fault("/arms", "shares", f"the shares add up to {total:g}, and should to 1")
        yield from starts_faults("/starts_at", self.starts_at, situation)
        yield from ends_faults("/ends_at", self.starts_at, self.ends_at, MOST_EXPERIMENT_DAYS)

    def words(self, situation: Situation) -> dict[str, str]:  # noqa: ARG002 -- as every type
        """Return key and hypothesis."""
        return {"experiment": self.experiment, "hypothesis": self.hypothesis}

    def read_back(self) -> str:
        """Return the experiment in a sentence."""
        arms = ", ".join(f"{arm.name} {arm.share:.0%}" for arm in self.arms)
        return (
            f"Open the experiment {self.experiment} with {self.account_id} ({arms}) from {day(self.starts_at)} to "
            f"{day(self.ends_at)}, judged by {self.metric}: {self.hypothesis}."
        )

    def inverse(self) -> SideEffect | None:
        """Return its end."""
        data = {"account_id": self.account_id, "experiment": self.experiment}
        return SideEffect("keepgrow.experiment.closed", data)


class AnnotateAccount(TypedAction):
    """Leave a note for the people who have the account."""

    event: ClassVar[str] = "keepgrow.account.annotated"
    type: Literal["annotate_account"]
    note: Annotated[str, Field(min_length=1, max_length=2000)]
    tags: Annotated[tuple[Key, ...], Field(max_length=10)] = ()

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return the action's parameter `note`, else its title and reason, tagged with its reason code."""
        action = situation.action
        return cls(
            type="annotate_account",
            account_id=situation.frame.account_id,
            action_key=action.key,
            note=situation.parameter("note", f"{action.title}. {action.reason_text}"),
            tags=(action.reason_code,),
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:  # noqa: ARG002 -- as every type
        """Yield tags that are given twice, and notes without a word."""
        if len(set(self.tags)) != len(self.tags):
            yield Fault("/tags", "named_twice", "each tag should be given once")
        if not self.note.strip():
            yield Fault("/note", "empty", "the note says nothing")

    def words(self, situation: Situation) -> dict[str, str]:  # noqa: ARG002 -- as every type
        """Return the note."""
        return {"note": self.note}

    def read_back(self) -> str:
        """Return the note."""
        return f"Note on {self.account_id}: {self.note}"

    def inverse(self) -> SideEffect | None:
        """Return its removal."""
        data = {"account_id": self.account_id, "note": self.note}
        return SideEffect("keepgrow.account.annotation_removed", data)
