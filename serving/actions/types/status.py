"""`publish_status`: words that many people of a customer read, checked before they do."""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from serving.actions.types.base import Fault, Key, SideEffect, Situation, TypedAction
from serving.decisions.catalogue.readable import unreadable
from serving.decisions.catalogue.wording import is_locale

_PLACEHOLDER = re.compile(r"\{\w*\}")


class PublishStatus(TypedAction):
    """Tell an account how an incident that affects it stands."""

    event: ClassVar[str] = "keepgrow.status.published"
    type: Literal["publish_status"]
    status: Literal["investigating", "identified", "monitoring", "resolved"]
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    locale: Annotated[
        str, Field(min_length=2, max_length=35, description="BCP 47 tag of the text's language.")
    ]
    incident: Annotated[Key | None, Field(description="The incident, if it has a key.")] = None

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return the action's message in the account's locale, else its title."""
        status = "investigating"
        values = {**message_values(situation), "status": status}
        words = situation.catalogue.message(situation.action, situation.locale, values)
        locale, text = words or (situation.catalogue.default_locale, situation.action.title)
        return cls(
            type="publish_status",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            status="investigating",
            text=text,
            locale=locale,
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield what is wrong with the words: their language, and what a screen reader can't tell."""
        wanted = situation.locale.partition("-")[0].lower()
        if not is_locale(self.locale):
            yield Fault("/locale", "not_a_locale", "it should be a BCP 47 tag such as en-US")
        elif self.locale.partition("-")[0].lower() not in {
            wanted,
            situation.catalogue.default_locale.partition("-")[0].lower(),
        }:
            yield Fault("/locale", "other_language", f"the account reads {situation.locale}")
        yield from text_faults("/text", self.text)

    def words(self, situation: Situation) -> dict[str, str]:  # noqa: ARG002 -- as every type
        """Return the status."""
        return {"status": self.status}

    def read_back(self) -> str:
        """Return the words in a sentence."""
        return f"Publish to {self.account_id}, in {self.locale}: {self.status}: {self.text}"

    def inverse(self) -> SideEffect | None:
        """Return its withdrawal."""
        data = {"account_id": self.account_id, "status": self.status, "incident": self.incident}
        return SideEffect("keepgrow.status.withdrawn", data)


def text_faults(pointer: str, text: str) -> Iterator[Fault]:
    """Yield what keeps people from understanding *text*, those who hear it read out too."""
    for code, fault in unreadable(text):
        yield Fault(pointer, code, fault)
    if _PLACEHOLDER.search(text):
        yield Fault(pointer, "placeholder_left", "a placeholder was not filled")


def message_values(situation: Situation) -> dict[str, str]:
    """Return what a message of any action may name: account, plan, seats, title, and the action's parameters."""
    frame, catalogue = situation.frame, situation.catalogue
    plan = catalogue.plans_by_key.get(frame.plan or "")
    seats = frame.seats
    return {
        **{name: str(value) for name, value in situation.action.parameters.items()},
        "account_id": frame.account_id,
        "plan": plan.name if plan else "",
        "seats": "" if seats is None else f"{seats:g}",
        "title": situation.action.title,
    }
