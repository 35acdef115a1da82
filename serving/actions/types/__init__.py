"""The ten types of actions: one discriminated union, its JSON Schemas, and how one is read or drafted."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args

from pydantic import Field, TypeAdapter

from serving.actions.types.base import (
    DraftError,
    Fault,
    SideEffect,
    Situation,
    TypedAction,
)
from serving.actions.types.bundle import CreateBundleWithinPolicy
from serving.actions.types.contact import EnforceFrequencyCaps, ScheduleSuccessCall, SendEnablementGuide
from serving.actions.types.offer import ProposeOfferWithinBands
from serving.actions.types.records import AnnotateAccount, OpenExperiment
from serving.actions.types.seats import AdjustSeatsWithinPolicy
from serving.actions.types.status import PublishStatus, message_values
from serving.actions.types.trial import StartTrialOrUpgrade

AnyAction = Annotated[
    ProposeOfferWithinBands
    | StartTrialOrUpgrade
    | ScheduleSuccessCall
    | SendEnablementGuide
    | CreateBundleWithinPolicy
    | AdjustSeatsWithinPolicy
    | EnforceFrequencyCaps
    | OpenExperiment
    | AnnotateAccount
    | PublishStatus,
    Field(discriminator="type"),
]
TYPES: Final[dict[str, type[TypedAction]]] = {
    get_args(one.model_fields["type"].annotation)[0]: one for one in get_args(get_args(AnyAction)[0])
}
"""The class of each type."""
ADAPTER: Final[TypeAdapter[Any]] = TypeAdapter(AnyAction)
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

__all__ = [
    "ADAPTER",
    "TYPES",
    "AnyAction",
    "DraftError",
    "Fault",
    "SideEffect",
    "Situation",
    "TypedAction",
    "draft",
    "message_of",
    "parse_action",
    "schema_of",
    "schemas",
]


def parse_action(text: bytes | str) -> TypedAction:
    """Return the action that JSON *text* holds.

    Raises:
        pydantic.ValidationError: It is none; unknown members and times without a zone are refused.
    """
    action: TypedAction = ADAPTER.validate_json(text)
    return action


def draft(situation: Situation) -> TypedAction:
    """Return the action of the catalogue written out for one account.

    Raises:
        DraftError: Something that it says is not known.
    """
    try:
        return TYPES[situation.action.type].draft(situation)
    except (OverflowError, ValueError) as error:
        raise DraftError(f"action {situation.action.key!r} can't be written out: {error}") from error


def message_of(action: TypedAction, situation: Situation) -> tuple[str, str] | None:
    """Return the locale and the words that the customer reads, or None if the action has no template."""
    values = {**message_values(situation), **action.words(situation)}
    return situation.catalogue.message(situation.action, situation.locale, values)


def schema_of(type_: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of actions of one type, complete in itself.

    Raises:
        KeyError: There is no such type.
    """
    return {"$schema": DIALECT, **TYPES[type_].model_json_schema()}


def schemas() -> dict[str, Any]:
    """Return one JSON Schema for actions of all types, which `type` tells apart."""
    return {"$schema": DIALECT, "title": "Action", **ADAPTER.json_schema()}
