"""Actions that reach the customer's people, or keep others from it: a call, a guide, a cap on contacts."""

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from serving.actions.types.base import (
    DraftError,
    Fault,
    SideEffect,
    Situation,
    Time,
    TypedAction,
    day,
    ends_faults,
    starts_faults,
)
from serving.decisions.calling import first_awake_hour
from serving.decisions.catalogue import Channel
from serving.decisions.catalogue.parameters import MOST_CAP_DAYS


class ScheduleSuccessCall(TypedAction):
    """Put a call of customer success into the calendar."""

    event: ClassVar[str] = "keepgrow.call.scheduled"
    type: Literal["schedule_success_call"]
    starts_at: Annotated[Time, Field(description="Outside of the account's quiet hours.")]
    duration_minutes: Annotated[int, Field(ge=5, le=240)]
    topic: Annotated[str, Field(min_length=1, max_length=200)]
    owner: Annotated[
        str | None, Field(max_length=200, description="Who calls; null: whoever has the account.")
    ] = None

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return a call at the first full hour from tomorrow on that is not quiet at the account."""
        minutes = situation.parameter("duration_minutes", 30)
        starts = first_awake_hour(situation.frame, minutes)
        if starts is None:
            raise DraftError("no hour is known at which the account is not quiet")
        return cls(
            type="schedule_success_call",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            starts_at=starts,
            duration_minutes=minutes,
            topic=situation.parameter("topic", situation.action.title),
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield calls in the past or in quiet hours."""
        yield from starts_faults("/starts_at", self.starts_at, situation)
        if not _awake(self.starts_at, self.duration_minutes, situation):
            yield Fault("/starts_at", "quiet_hours", "it is quiet at the account then, or that is not known")

    def words(self, situation: Situation) -> dict[str, str]:  # noqa: ARG002 -- as every type
        """Return date, length and topic."""
        return {
            "starts_on": day(self.starts_at),
            "duration_minutes": str(self.duration_minutes),
            "topic": self.topic,
        }

    def read_back(self) -> str:
        """Return the call in a sentence."""
        return (
            f"Call {self.account_id} on {self.starts_at.isoformat(timespec='minutes')} for "
            f"{self.duration_minutes} minutes about: {self.topic}."
        )

    def inverse(self) -> SideEffect | None:
        """Return its cancellation."""
        data = {"account_id": self.account_id, "starts_at": self.model_dump(mode="json")["starts_at"]}
        return SideEffect("keepgrow.call.cancelled", data)


class SendEnablementGuide(TypedAction):
    """Send or show a guide to something that the account's plan includes."""

    event: ClassVar[str] = "keepgrow.guide.sent"
    type: Literal["send_enablement_guide"]
    guide: Annotated[
        str, Field(min_length=1, max_length=2000, description="Address (https) or key of the guide.")
    ]
    channel: Annotated[
        Literal["email", "in_app"], Field(description="The channel of the catalogue's action.")
    ]
    locale: Annotated[str, Field(min_length=2, max_length=35, description="BCP 47 tag.")]
    send_at: Annotated[Time, Field(description="By mail, outside of the account's quiet hours.")]

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return the guide that the action's parameter `guide` names, else one with the action's key, at once."""
        channel = situation.action.channel
        if channel not in {"email", "in_app"}:
            raise DraftError(f"a guide goes by email or in_app, and not by {channel}")
        return cls(
            type="send_enablement_guide",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            guide=situation.parameter("guide", situation.action.key),
            channel="email" if channel == "email" else "in_app",
            locale=situation.locale,
            send_at=situation.now,
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield wrong channels and addresses, and mails in quiet hours."""
        if self.channel != situation.action.channel:
            yield Fault("/channel", "other_channel", f"the action goes by {situation.action.channel}")
        if "://" in self.guide and not self.guide.startswith("https://"):
            yield Fault("/guide", "not_https", "an address should begin with https://")
        yield from starts_faults("/send_at", self.send_at, situation)
        if self.channel == "email" and situation.quiet_at(self.send_at):
            yield Fault("/send_at", "quiet_hours", "it is quiet at the account then, or that is not known")

    def words(self, situation: Situation) -> dict[str, str]:  # noqa: ARG002 -- as every type
        """Return the guide."""
        return {"guide": self.guide}

    def read_back(self) -> str:
        """Return the sending in a sentence."""
        return (
            f"{'Mail' if self.channel == 'email' else 'Show'} {self.account_id} the guide {self.guide} in "
            f"{self.locale} at {self.send_at.isoformat(timespec='minutes')}."
        )

    def inverse(self) -> SideEffect | None:
        """Return the hint's withdrawal; a mail can't be called back."""
        if self.channel == "email":
            return None
        return SideEffect("keepgrow.guide.withdrawn", {"account_id": self.account_id, "guide": self.guide})


class EnforceFrequencyCaps(TypedAction):
    """Let the account be contacted less often for a while, by everybody who asks."""

    event: ClassVar[str] = "keepgrow.contact_cap.set"
    type: Literal["enforce_frequency_caps"]
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=4)]
    contacts_max: Annotated[int, Field(ge=0, le=1000, description="Most contacts within the window.")]
    window_days: Annotated[int, Field(ge=1, le=366)]
    until: Annotated[Time, Field(description="When the cap ends by itself.")]

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return the action's `contacts_max` in `window_days`, for one window, on all channels that reach people."""
        days = situation.parameter("window_days", 14)
        return cls(
            type="enforce_frequency_caps",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            channels=("in_app", "email", "phone"),
            contacts_max=situation.parameter("contacts_max", 1),
            window_days=days,
            until=situation.now + dt.timedelta(days=days),
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield caps without end, on no one's channel, or on one channel twice."""
        yield from ends_faults("/until", situation.now, self.until, MOST_CAP_DAYS)
        if len(set(self.channels)) != len(self.channels):
            yield Fault("/channels", "named_twice", "each channel should be named once")
        if "internal" in self.channels:
            yield Fault("/channels", "reaches_nobody", "`internal` reaches no customer and needs no cap")

    def words(self, situation: Situation) -> dict[str, str]:  # noqa: ARG002 -- as every type
        """Return the cap."""
        return {"contacts_max": str(self.contacts_max), "window_days": str(self.window_days)}

    def read_back(self) -> str:
        """Return the cap in a sentence."""
        return (
            f"Contact {self.account_id} by {', '.join(self.channels)} at most {self.contacts_max} times in "
            f"{self.window_days} days, until {day(self.until)}."
        )

    def inverse(self) -> SideEffect | None:
        """Return the cap's end."""
        data = {"account_id": self.account_id, "channels": list(self.channels)}
        return SideEffect("keepgrow.contact_cap.lifted", data)


def _awake(start: dt.datetime, minutes: int, situation: Situation) -> bool:
    """Return whether neither begin nor end of a call at *start* is quiet at the account."""
    return not situation.quiet_at(start) and not situation.quiet_at(start + dt.timedelta(minutes=minutes - 1))
