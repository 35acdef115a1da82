"""What can be bought: plans, add-ons and bundles of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from serving.decisions.catalogue.vocabulary import CatalogueValue

if TYPE_CHECKING:
    from collections.abc import Mapping


class Plan(CatalogueValue):
    """One plan that can be bought. A limit that is null is unlimited."""

    key: str = Field(min_length=1, description="The plan's key, as `subscriptions.plan` has it.")
    name: str = Field(min_length=1, description="The plan's name for people.")
    rank: int = Field(description="Place in the order of plans; the next higher rank is the upgrade.")
    mrr_list: float = Field(ge=0, description="Monthly list price of the plan with its included seats.")
    price_per_seat: float = Field(
        ge=0, description="Monthly list price of each seat beyond the included ones."
    )
    unit_cost: float = Field(
        default=0, ge=0, description="Monthly cost of serving the plan with its included seats."
    )
    seats_included: int = Field(default=1, ge=0, description="Seats that `mrr_list` includes.")
    seats_max: int | None = Field(default=None, ge=1, description="Most seats that the plan allows.")
    api_calls_limit_per_month: float | None = Field(default=None, ge=0, description="API calls included.")
    storage_limit_gb: float | None = Field(default=None, ge=0, description="Storage included.")

    def list_mrr(self, seats: int) -> float:
        """Return the monthly list price of this plan with *seats* seats."""
        return self.mrr_list + max(0, seats - self.seats_included) * self.price_per_seat

    def scale(self, seats: int) -> float:
        """Return by what the plan's list price with *seats* seats exceeds that with the included ones.

        Price bands and costs are written for the included seats, and grow by this.
        """
        return self.list_mrr(seats) / self.mrr_list if self.mrr_list else 1.0


class AddOn(CatalogueValue):
    """Something that is bought beside a plan."""

    key: str = Field(min_length=1, description="Unique among plans, add-ons and bundles.")
    name: str = Field(min_length=1, description="Its name for people.")
    mrr_list: float = Field(ge=0, description="Monthly list price.")
    unit_cost: float = Field(default=0, ge=0, description="Monthly cost of serving it.")
    plans: tuple[str, ...] = Field(
        default=(), description="Plans beside which it can be bought; empty: every plan."
    )
    requires: tuple[str, ...] = Field(default=(), description="Add-ons without which it does not work.")
    excludes: tuple[str, ...] = Field(default=(), description="Add-ons that can't be had beside it.")
    stock: int | None = Field(default=None, ge=0, description="How many can still be sold; null: no limit.")
    lead_time_days: int = Field(default=0, ge=0, le=366, description="Days from the order until it works.")


class Bundle(CatalogueValue):
    """Add-ons that are sold together, at a discount on the sum of their list prices."""

    key: str = Field(min_length=1, description="Unique among plans, add-ons and bundles.")
    name: str = Field(min_length=1, description="Its name for people.")
    add_ons: tuple[str, ...] = Field(min_length=2, description="Its parts.")
    plans: tuple[str, ...] = Field(
        default=(), description="Plans beside which it can be bought; empty: those of all parts."
    )
    excludes: tuple[str, ...] = Field(default=(), description="Add-ons that can't be had beside it.")
    discount_ratio: float = Field(default=0.0, ge=0, lt=1, description="Taken off the sum of list prices.")

    def list_mrr(self, add_ons: Mapping[str, AddOn]) -> float:
        """Return the sum of the parts' monthly list prices; *add_ons* holds every part by its key."""
        return sum(add_ons[key].mrr_list for key in self.add_ons)

    def price(self, add_ons: Mapping[str, AddOn]) -> float:
        """Return the monthly price of the bundle."""
        return self.list_mrr(add_ons) * (1.0 - self.discount_ratio)

    def unit_cost(self, add_ons: Mapping[str, AddOn]) -> float:
        """Return the monthly cost of serving the parts."""
        return sum(add_ons[key].unit_cost for key in self.add_ons)
