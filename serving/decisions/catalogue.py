"""The catalogue: what can be sold, what can be done, and what is believed about its effect. Read from YAML.

It is data that a company writes; a contradiction in it is refused by name before anything is decided with it.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from feature_repo.contract import canonical_hash
from serving.decisions.documents import faults_of, read_document
from serving.errors import CatalogueError

PACKAGED_CATALOGUE = Path(__file__).with_name("catalogue.yaml")

ActionType = Literal[
    "propose_offer_within_bands",
    "start_trial_or_upgrade",
    "schedule_success_call",
    "send_enablement_guide",
    "create_bundle_within_policy",
    "adjust_seats_within_policy",
    "enforce_frequency_caps",
    "open_experiment",
    "annotate_account",
    "publish_status",
]
ACTION_TYPES: tuple[str, ...] = get_args(ActionType)
Channel = Literal["in_app", "email", "phone", "internal"]
Surface = Literal["in_app", "email", "account_card", "daily_list"]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Plan(_Value):
    """One plan that can be bought. A limit that is null is unlimited."""

    key: str = Field(min_length=1, description="The plan's key, as `subscriptions.plan` has it.")
    name: str = Field(min_length=1, description="The plan's name for people.")
    rank: int = Field(description="Place in the order of plans; the next higher rank is the upgrade.")
    mrr_list: float = Field(ge=0, description="Monthly list price of the plan with its included seats.")
    price_per_seat: float = Field(
        ge=0, description="Monthly list price of each seat beyond the included ones."
    )
    seats_included: int = Field(default=1, ge=0, description="Seats that `mrr_list` includes.")
    seats_max: int | None = Field(default=None, ge=1, description="Most seats that the plan allows.")
    api_calls_limit_per_month: float | None = Field(default=None, ge=0, description="API calls included.")
    storage_limit_gb: float | None = Field(default=None, ge=0, description="Storage included.")

    def list_mrr(self, seats: int) -> float:
        """Return the monthly list price of this plan with *seats* seats."""
        return self.mrr_list + max(0, seats - self.seats_included) * self.price_per_seat


class Condition(_Value):
    """A bound on one number of the account: a feature, `churn_probability_90d` or `upsell_probability_90d`.

    A condition on a value that is missing does not hold.
    """

    feature: str = Field(min_length=1)
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Condition:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"condition on {self.feature!r} needs at_least or at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"condition on {self.feature!r} can't hold: at_least is above at_most")
        return self

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


class Requirements(_Value):
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


class Lift(_Value):
    """A declared belief about an effect: its mean and standard deviation."""

    mean: float = Field(default=0.0, ge=-1, le=1)
    sd: float = Field(default=0.0, ge=0, le=1)


class Priors(_Value):
    """Declared effects of an action, used until effects are learned from outcomes.

    `retain` is the *relative* reduction of the account's churn probability (0.1: a tenth of those who would
    leave stay). `expand` is the *absolute* rise of the probability that the account expands by `extra_mrr`.
    """

    retain: Lift = Lift()
    expand: Lift = Lift()


class ExtraMrr(_Value):
    """How much MRR the account adds if it expands.

    `none`: nothing. `next_plan`: list price of the next plan less the current plan's, for the same seats.
    `seats`: `share` of the account's seats, rounded up, at the plan's seat price. `share_of_mrr`: `share` of
    MRR. `fixed`: `amount`. The account's discount is taken off `next_plan` and `seats`.
    """

    rule: Literal["none", "next_plan", "seats", "share_of_mrr", "fixed"] = "none"
    share: float = Field(default=0.0, ge=0)
    amount: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _complete(self) -> ExtraMrr:
        if self.rule in {"seats", "share_of_mrr"} and self.share == 0:
            raise ValueError(f"extra_mrr rule {self.rule!r} needs a share above 0")
        if self.rule == "fixed" and self.amount == 0:
            raise ValueError("extra_mrr rule 'fixed' needs an amount above 0")
        return self


class Action(_Value):
    """One action that can be proposed."""

    key: str = Field(min_length=1, description="Unique name of this action in the catalogue.")
    type: ActionType = Field(description="One of the ten action types.")
    title: str = Field(min_length=1, description="What is proposed, in a few words for people.")
    reason_code: str = Field(min_length=1, description="Code of the reason that is given with the action.")
    reason_text: str = Field(min_length=1, description="The reason in one sentence.")
    playbook: str | None = Field(default=None, description="Playbook that the action belongs to.")
    channel: Channel = Field(description="How it reaches the account; `internal` does not reach it.")
    surfaces: tuple[Surface, ...] = Field(min_length=1, description="Where it may be shown.")
    cost: float = Field(ge=0, description="Cost of doing it once, in the catalogue's currency.")
    requires: Requirements = Requirements()
    priors: Priors = Priors()
    extra_mrr: ExtraMrr = ExtraMrr()
    parameters: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Fixed details of the action, such as a guide's address."
    )

    @model_validator(mode="after")
    def _expansion_is_worth_something(self) -> Action:
        if self.priors.expand.mean != 0 and self.extra_mrr.rule == "none":
            raise ValueError(f"action {self.key!r} declares a lift to expansion but no extra_mrr")
        return self


class Catalogue(_Value):
    """Plans and actions of one company."""

    version: Literal[1] = 1
    name: str = Field(default="catalogue", description="Short name of the catalogue.")
    currency: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217 code of every amount in the catalogue.")
    margin: float = Field(default=0.8, gt=0, le=1, description="Gross margin of subscription revenue.")
    valid_hours: int = Field(default=24, ge=1, description="Longest time that a decision stays valid.")
    plans: tuple[Plan, ...] = Field(min_length=1)
    actions: tuple[Action, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_contradictions(self) -> Catalogue:
        faults = [
            *(f"plan key {key!r} is given twice" for key in _repeated(plan.key for plan in self.plans)),
            *(f"plans tie on rank {rank}" for rank in _repeated(plan.rank for plan in self.plans)),
            *(
                f"action key {key!r} is given twice"
                for key in _repeated(action.key for action in self.actions)
            ),
        ]
        known = {plan.key for plan in self.plans}
        faults += [
            f"action {action.key!r} requires plan {plan!r}, which is not in the catalogue"
            for action in self.actions
            for plan in action.requires.plans
            if plan not in known
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @cached_property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON; equal catalogues have equal hashes in any order."""
        content = self.model_dump(mode="json")
        content["plans"].sort(key=lambda plan: plan["key"])
        content["actions"].sort(key=lambda action: action["key"])
        return canonical_hash(content)

    @cached_property
    def plans_by_key(self) -> dict[str, Plan]:
        """The plans by their keys."""
        return {plan.key: plan for plan in self.plans}

    @cached_property
    def _upgrades(self) -> dict[str, Plan]:
        ordered = sorted(self.plans, key=lambda plan: plan.rank)
        return {lower.key: higher for lower, higher in pairwise(ordered)}

    def next_plan(self, key: str) -> Plan | None:
        """Return the plan one rank above plan *key*, or None if *key* is the top plan or not a plan."""
        return self._upgrades.get(key)


def _repeated(values: Any) -> list[Any]:  # noqa: ANN401 -- keys are text, ranks are numbers
    return [value for value, times in Counter(values).items() if times > 1]


def parse_catalogue(text: str, source: str) -> Catalogue:
    """Return the catalogue that YAML *text* holds; *source* names it in errors.

    A catalogue without `actions` gets those of the packaged one, if it is in the same currency.

    Raises:
        CatalogueError: The text is not YAML, not of this form, or contradicts itself.
    """
    try:
        content = yaml.safe_load(text)
        if isinstance(content, dict) and "actions" not in content:
            content = {**content, "actions": _packaged_actions(content.get("currency"), source)}
        return Catalogue.model_validate(content)
    except yaml.YAMLError as error:
        raise CatalogueError(f"{source}: not YAML: {error}") from error
    except ValidationError as error:
        raise CatalogueError(f"{source}: {faults_of(error, 'catalogue')}") from error


def _packaged_actions(currency: object, source: str) -> list[dict[str, Any]]:
    packaged = yaml.safe_load(PACKAGED_CATALOGUE.read_text(encoding="utf-8"))
    if currency != packaged["currency"]:
        raise CatalogueError(
            f"{source}: has no actions, and the packaged ones have costs in {packaged['currency']}, "
            f"not in {currency!r}; give the catalogue actions of its own"
        )
    actions: list[dict[str, Any]] = packaged["actions"]
    return actions


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue at *path*, or the packaged one.

    Raises:
        CatalogueError: There is no such file, or it can't be read as a catalogue.
    """
    path = path or PACKAGED_CATALOGUE
    return parse_catalogue(read_document(path, "catalogue", CatalogueError), str(path))
