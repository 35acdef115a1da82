"""Actions that can be proposed: when, at what cost, and with which believed effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat

from serving.decisions.catalogue.vocabulary import (
    SELLING_TYPES,
    ActionType,
    Audience,
    BlastRadius,
    CatalogueValue,
    Channel,
    Purpose,
    Surface,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Condition(CatalogueValue):
    """A bound on one number of the account: a feature, `churn_probability_90d` or `upsell_probability_90d`.

    A condition on a value that is missing does not hold.
    """

    feature: str = Field(min_length=1)
    at_least: float | None = None
    at_most: float | None = None

    def contradictions(self) -> Iterator[str]:
        """Yield what is wrong with the bounds."""
        if self.at_least is None and self.at_most is None:
            yield f"condition on {self.feature!r} needs at_least or at_most"
        elif self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            yield f"condition on {self.feature!r} can't hold: at_least is above at_most"

    def holds(self, value: float | None) -> bool:
        """Return whether *value* lies within the bounds; None never does."""
        if value is None:
            return False
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        low = "" if self.at_least is None else f" at least {self.at_least:g}"
        high = "" if self.at_most is None else f" at most {self.at_most:g}"
        return f"{self.feature}{low}{' and' if low and high else ''}{high}"


class Requirements(CatalogueValue):
    """What must hold of an account before an action is considered for it now."""

    all: tuple[Condition, ...] = Field(default=(), description="All of these must hold.")
    any: tuple[Condition, ...] = Field(
        default=(), description="At least one of these must hold, if there are any."
    )
    plans: tuple[str, ...] = Field(default=(), description="Plans that the action is for; empty: every plan.")
    seats_min: int | None = Field(default=None, ge=0, description="Fewest seats.")
    during_incident: bool = Field(
        default=False, description="Whether it may be done during an active incident."
    )
    days_after_complaint: int = Field(default=14, ge=0, description="Days of silence after a complaint.")
    open_tickets_max: int | None = Field(default=2, ge=0, description="Most open tickets; null: no limit.")


class Lift(CatalogueValue):
    """A declared belief about an effect: its mean and standard deviation."""

    mean: float = Field(default=0.0, ge=-1, le=1)
    sd: float = Field(default=0.0, ge=0, le=1)


class Priors(CatalogueValue):
    """Declared effects of an action, used until effects are learned from outcomes.

    `retain` is the *relative* reduction of the account's churn probability (0.1: a tenth of those who would
    leave stay). `expand` is the *absolute* rise of the probability that the account expands by `extra_mrr`;
    `win_back` that of the probability that an account that has left comes back; `complain` that of a complaint about
    the action.
    """

    retain: Lift = Lift()
    expand: Lift = Lift()
    win_back: Lift = Lift()
    complain: Lift = Lift()


class ExtraMrr(CatalogueValue):
    """How much MRR the account adds if it expands.

    `none`: nothing. `next_plan`: list price of the next plan less the current plan's, for the same seats.
    `seats`: `share` of the account's seats, rounded up, at the plan's seat price. `share_of_mrr`: `share` of
    MRR. `fixed`: `amount`. The account's discount is taken off `next_plan` and `seats`.
    """

    rule: Literal["none", "next_plan", "seats", "share_of_mrr", "fixed"] = "none"
    share: float = Field(default=0.0, ge=0)
    amount: float = Field(default=0.0, ge=0)

    def contradictions(self) -> Iterator[str]:
        """Yield what the rule lacks."""
        if self.rule in {"seats", "share_of_mrr"} and self.share == 0:
            yield f"extra_mrr rule {self.rule!r} needs a share above 0"
        if self.rule == "fixed" and self.amount == 0:
            yield "extra_mrr rule 'fixed' needs an amount above 0"


class Action(CatalogueValue):
    """One action that can be proposed."""

    key: str = Field(min_length=1, description="Unique name of this action in the catalogue.")
    type: ActionType = Field(description="One of the ten action types.")
    title: str = Field(min_length=1, description="What is proposed, in a few words for people.")
    reason_code: str = Field(min_length=1, description="Code of the reason that is given with the action.")
    reason_text: str = Field(min_length=1, description="The reason in one sentence.")
    playbook: str | None = Field(default=None, description="Playbook that the action belongs to.")
    channel: Channel = Field(description="How it reaches the account; `internal` does not reach it.")
    surfaces: tuple[Surface, ...] = Field(min_length=1, description="Where it may be shown.")
    purpose: Purpose | None = Field(
        default=None,
        description="What the account is spoken to for; null: `marketing` if its type sells, else `service`.",
    )
    audience: Audience = Field(
        default="subscribed",
        description="Whom it is for: accounts that have a subscription, or such that have left.",
    )
    regions: tuple[str, ...] = Field(default=(), description="Regions that it is for; empty: every region.")
    cost: float = Field(ge=0, description="Cost of doing it once, in the catalogue's currency.")
    csm_minutes: float = Field(
        default=0, ge=0, description="Working time of customer success that it takes once."
    )
    blast_radius: BlastRadius = Field(
        default="low",
        description="How far it reaches if it is wrong; the catalogue's `approvals` says who must agree.",
    )
    levers: dict[str, PositiveFloat] = Field(
        default_factory=dict, description="Business levers by name: each multiplies the value for ranking."
    )
    requires: Requirements = Requirements()
    priors: Priors = Priors()
    extra_mrr: ExtraMrr = ExtraMrr()
    template: str | None = Field(default=None, description="Key of the message template.")
    parameters: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Fixed details of the action, such as a guide's address."
    )

    @property
    def sells(self) -> bool:
        """Whether money changes hands by it."""
        return self.type in SELLING_TYPES

    @property
    def wins_back(self) -> bool:
        """Whether it is for accounts that have left."""
        return self.audience == "left"

    @property
    def purpose_or_default(self) -> Purpose:
        """What the account is spoken to for."""
        return self.purpose or ("marketing" if self.sells else "service")

    @property
    def gives_discount(self) -> bool:
        """Whether it offers a price below the list's."""
        offered = self.parameters.get("discount_ratio")
        return isinstance(offered, int | float) and offered > 0

    def contradictions(self) -> Iterator[str]:
        """Yield what is wrong with the action, whatever else is in the catalogue."""
        for condition in (*self.requires.all, *self.requires.any):
            yield from condition.contradictions()
        yield from self.extra_mrr.contradictions()
        if self.priors.expand.mean != 0 and self.extra_mrr.rule == "none":
            yield "declares a lift to expansion but no extra_mrr"
        if self.wins_back and (self.priors.retain != Lift() or self.priors.expand != Lift()):
            yield "is for accounts that have left, and declares a lift to staying or expanding"
        if not self.wins_back and self.priors.win_back != Lift():
            yield "declares a lift to coming back, and is not for accounts that have left (audience: left)"
        if self.template is not None and self.channel == "internal" and self.type != "publish_status":
            yield "has a template, and its channel reaches nobody"
