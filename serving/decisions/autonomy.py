"""The ladder of autonomy: how far each action may go without a person, and what it must have shown to go further.

The policy says where actions start, how far they may come, and the rule by which they rise; the ledger says where
they stand. Everything here is values: `serving.ledger.autonomy` records changes of level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.decisions.caps import CUSTOMER_SURFACES
from serving.decisions.decision import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

Level = Literal["shadow", "suggest", "one_click", "unattended"]
StartLevel = Literal["shadow", "suggest", "one_click"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""From the least autonomy to the most."""
AppliedBy = Literal["simulation", "decision", "trigger"]
"""How an action comes to be applied: by a simulation that a person looked at, straight from a decision by a person,
or by a trigger with nobody asked."""
NEEDED: Final[Mapping[AppliedBy, Level]] = {
    "simulation": "suggest",
    "decision": "one_click",
    "trigger": "unattended",
}
"""The level from which on an action may be applied so."""
LADDER_STAGE: Final = "arbitration"
NO_PERSON: Final = "keepgrow:"
"""How names of actors begin that are no people: `keepgrow:trigger:ID`."""
IN_SHADOW: Final = "in_shadow"
ONLY_SUGGESTED: Final = "only_suggested"
FIRST: Final[Level] = LEVELS[0]
LAST: Final[Level] = LEVELS[-1]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ActionAutonomy(_Value):
    """What the policy says of one action's autonomy."""

    start: StartLevel | None = Field(
        default=None, description="Its level until the ledger holds one; not given: the section's."
    )
    ceiling: Level = Field(
        default=LAST,
        description="The highest level that it may have; holds at once, whatever the ledger says.",
    )

    @model_validator(mode="after")
    def _start_below_ceiling(self) -> ActionAutonomy:
        if self.start is not None and lower(self.start, self.ceiling) != self.start:
            raise ValueError(f"`start` ({self.start}) is above `ceiling` ({self.ceiling})")
        return self


class PromotionRule(_Value):
    """What each of the last weeks at a level must show before an action rises by one level."""

    weeks: int = Field(default=4, ge=1, le=52, description="Whole weeks at the level that must all hold.")
    accounts_min: int = Field(
        default=20,
        ge=1,
        description="Accounts that it was proposed to within a week; in shadow: would have been.",
    )
    applied_min: int = Field(
        default=20,
        ge=0,
        description="Times that it was applied within all those weeks together; not asked of an action in shadow.",
    )
    shown_min: int = Field(
        default=20,
        ge=0,
        description="Decisions of all those weeks together whose outcomes say that somebody saw it; likewise.",
    )
    reversal_ratio_max: float = Field(
        default=0.05, ge=0, le=1, description="Of a week's applications, the share that was undone."
    )
    complaint_ratio_max: float = Field(
        default=0.01, ge=0, le=1, description="Of a week's decisions that showed it, the share complained of."
    )
    rejection_ratio_max: float = Field(
        default=0.5, ge=0, le=1, description="Of a week's decisions that showed it, the share rejected."
    )
    validity_min: float = Field(
        default=0.98, ge=0, le=1, description="Of a week's proposals, the share that drafts and is delivered."
    )
    intervals: bool = Field(
        default=False,
        description="Also: over all the weeks, the worse end of each figure's 95 % interval is within its limit.",
    )


class Autonomy(_Value):
    """The policy's section `autonomy`."""

    start: StartLevel = Field(
        default="one_click",
        description="Level of actions of which the ledger says nothing; `unattended` is only reached by promotion.",
    )
    actions: dict[str, ActionAutonomy] = Field(
        default_factory=dict, description="By key of the action, where it differs from the rest."
    )
    rule: PromotionRule = Field(default=PromotionRule(), description="When an action may rise by one level.")

    def start_of(self, action: str) -> Level:
        """Return the level of the action with this key while the ledger says nothing of it."""
        own = self.actions.get(action)
        return (own and own.start) or self.start

    def ceiling_of(self, action: str) -> Level:
        """Return the highest level that the action with this key may have."""
        own = self.actions.get(action)
        return own.ceiling if own else LAST


def reaches(level: Level, wanted: Level) -> bool:
    """Return whether *level* is *wanted* or above."""
    return LEVELS.index(level) >= LEVELS.index(wanted)


def lower(one: Level, other: Level) -> Level:
    """Return the lower of two levels."""
    return other if reaches(one, other) else one


def next_level(level: Level) -> Level | None:
    """Return the level right above *level*; None if it is the last."""
    return None if level == LAST else LEVELS[LEVELS.index(level) + 1]


def level_below(level: Level) -> Level | None:
    """Return the level right below *level*; None if it is the first."""
    return None if level == FIRST else LEVELS[LEVELS.index(level) - 1]


def effective_level(autonomy: Autonomy, recorded: Mapping[str, Level], action: str) -> Level:
    """Return the level that holds for an action.

    Args:
        autonomy: The policy's section.
        recorded: Levels that the ledger holds, by key of the action.
        action: Its key.
    """
    return lower(recorded.get(action, autonomy.start_of(action)), autonomy.ceiling_of(action))


def is_shown(level: Level, surface: str | None) -> bool:
    """Return whether an action of *level* may be shown on *surface*; None is a caller of the company's own."""
    return reaches(level, "one_click" if surface in CUSTOMER_SURFACES else "suggest")


def ladder_fault(
    autonomy: Autonomy, recorded: Mapping[str, Level], surface: str | None, action: str
) -> Refusal | None:
    """Return why the ladder keeps an action from *surface*, or None.

    It is the last thing that a candidate meets, so that this refusal says: all else would have let it through.

    Args:
        autonomy: The policy's section.
        recorded: Levels that the ledger holds, by key of the action.
        surface: Where the action would be shown; None when the caller shows all.
        action: Its key.
    """
    level = effective_level(autonomy, recorded, action)
    if is_shown(level, surface):
        return None
    if level == "shadow":
        text = "The action is in shadow: what it would have been is recorded, and shown to nobody"
        return Refusal(action, LADDER_STAGE, IN_SHADOW, text)
    text = f"The action is only suggested to the company's own people, and {surface} is the customer's"
    return Refusal(action, LADDER_STAGE, ONLY_SUGGESTED, text)


def may_apply(level: Level, by: AppliedBy) -> bool:
    """Return whether an action of *level* may be applied *by* a simulation, a decision or a trigger."""
    return reaches(level, NEEDED[by])


def is_person(actor: str) -> bool:
    """Return whether *actor* is the name of a person and not of a part of the product, such as a trigger."""
    return not actor.lower().startswith(NO_PERSON)


def applied_by(actor: str, source_kind: str) -> AppliedBy:
    """Return how an action comes to be applied when *actor* asks for it by a `simulation` or a `decision`."""
    if not is_person(actor):
        return "trigger"
    return "decision" if source_kind == "decision" else "simulation"
