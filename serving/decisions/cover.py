"""Which of the catalogue's actions a rule or a cap means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from serving.decisions.catalogue import ActionType, Audience, BlastRadius, Channel, Purpose

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action

CODE: Final = r"^[a-z][a-z0-9_]*$"


class Cover(BaseModel):
    """Which actions are meant: those that match every list that is not empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    types: tuple[ActionType, ...] = Field(default=(), description="Action types.")
    channels: tuple[Channel, ...] = Field(default=(), description="Channels.")
    actions: tuple[str, ...] = Field(default=(), description="Keys of the catalogue's actions.")
    purposes: tuple[Purpose, ...] = Field(default=(), description="Purposes: `service`, `marketing`.")
    blast_radii: tuple[BlastRadius, ...] = Field(default=(), description="Blast radii.")
    audiences: tuple[Audience, ...] = Field(
        default=(),
        description="Whom actions are for: accounts that are `subscribed`, or such that have `left`.",
    )

    def covers(self, action: Action) -> bool:
        """Return whether *action* is meant."""
        return (
            (not self.types or action.type in self.types)
            and (not self.channels or action.channel in self.channels)
            and (not self.actions or action.key in self.actions)
            and (not self.purposes or action.purpose_or_default in self.purposes)
            and (not self.blast_radii or action.blast_radius in self.blast_radii)
            and (not self.audiences or action.audience in self.audiences)
        )

    @property
    def named(self) -> tuple[str, ...]:
        """All that it names, for people."""
        return (
            *self.types, *self.channels, *self.actions, *self.purposes, *self.blast_radii, *self.audiences,
        )  # fmt: skip
