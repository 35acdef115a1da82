"""Price bands: between which amounts something may be sold, and how low its price may be advertised."""

from __future__ import annotations

from pydantic import Field

from serving.decisions.catalogue.vocabulary import CatalogueValue


class PriceBand(CatalogueValue):
    """The band of one plan, add-on or bundle, a month, in some regions or in all.

    A plan's band is for its included seats and grows with the list price of more seats.
    """

    item: str = Field(min_length=1, description="Key of a plan, an add-on or a bundle.")
    regions: tuple[str, ...] = Field(
        default=(), description="Regions in which it holds; empty: wherever no other band of the item does."
    )
    list_factor: float = Field(
        default=1.0,
        gt=0,
        description="By what list prices are multiplied in these regions, such as for purchasing power.",
    )
    floor: float = Field(ge=0, description="Least monthly price.")
    ceiling: float = Field(ge=0, description="Highest monthly price.")
    advertised_min: float | None = Field(
        default=None,
        ge=0,
        description="Least price that may be shown in public (MAP); a lower one may only be offered to one account.",
    )
