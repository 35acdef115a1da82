"""The form of a field: a name that rules may use, its type, and where its value comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.action_view import ActionView

Kind = Literal["bool", "number", "text", "texts"]
Value = bool | float | str | tuple[str, ...] | None
OfFrame = Callable[["DecisionFrame", "Catalogue"], Value]
OfEntry = Callable[["Action"], Value]
OfAction = Callable[["ActionView"], Value]


@dataclass(frozen=True, slots=True)
class Field:
    """One name that a rule may use.

    Attributes:
        name: The name.
        kind: Type of its value.
        description: What it is, for people.
        of_frame: Reads it from account and catalogue; None for a field of the action.
        of_entry: Reads it from the catalogue's action alone, whatever the account.
        of_action: Reads it from the action as it stands to the account.
    """

    name: str
    kind: Kind
    description: str
    of_frame: OfFrame | None = None
    of_entry: OfEntry | None = None
    of_action: OfAction | None = None
