"""The whole catalogue as one value: its hash, and how its parts are found."""

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from feature_repo.contract import canonical_hash
from serving.decisions.catalogue.actions import Action
from serving.decisions.catalogue.contradictions import contradictions
from serving.decisions.catalogue.offerings import AddOn, Bundle, Plan
from serving.decisions.catalogue.prices import PriceBand
from serving.decisions.catalogue.vocabulary import BlastRadius, CatalogueValue
from serving.decisions.catalogue.wording import Disclosure, Template, in_locale, speaks

MEMORY: Final = 4096
"""Answers that a catalogue remembers; accounts differ in few regions and languages."""


class ContradictionsError(ValueError):
    """A catalogue contradicts itself.

    Attributes:
        faults: A sentence for each contradiction.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Catalogue(CatalogueValue):
    """Plans, prices, words and actions of one company."""

    version: Literal[1] = 1
    name: str = Field(default="catalogue", description="Short name of the catalogue.")
    currency: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217 code of every amount in the catalogue.")
    margin: float = Field(default=0.8, gt=0, le=1, description="Gross margin of subscription revenue.")
    margin_min_ratio: float = Field(
        default=0.0, ge=0, lt=1, description="Least gross margin at which anything may be sold."
    )
    valid_hours: int = Field(default=24, ge=1, description="Longest time that a decision stays valid.")
    regions: tuple[str, ...] = Field(
        default=(),
        description="Regions in which anything is sold; empty: bands and disclosures may name any.",
    )
    default_locale: str = Field(
        default="en-US",
        min_length=2,
        description="Locale whose words are used where there are no better ones.",
    )
    approvals: dict[BlastRadius, int] = Field(
        default={"high": 1},
        description="How many people other than the proposer must agree, by blast radius; not named: nobody.",
    )
    plans: tuple[Plan, ...] = Field(min_length=1)
    add_ons: tuple[AddOn, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    price_bands: tuple[PriceBand, ...] = ()
    disclosures: tuple[Disclosure, ...] = ()
    templates: tuple[Template, ...] = ()
    actions: tuple[Action, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        faults = contradictions(self)
        if faults:
            raise ContradictionsError(faults)
        return self

    @cached_property
    def canonical(self) -> dict[str, Any]:
        """The catalogue as JSON, its lists in one order, however they were written."""
        content = self.model_dump(mode="json")
        for part in ("plans", "add_ons", "bundles", "disclosures", "templates", "actions"):
            content[part].sort(key=lambda one: one["key"])
        content["price_bands"].sort(key=lambda band: (band["item"], sorted(band["regions"])))
        return content

    @cached_property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON; equal catalogues have equal hashes in any order."""
        return canonical_hash(self.canonical)

    @cached_property
    def plans_by_key(self) -> dict[str, Plan]:
        """The plans by their keys."""
        return {plan.key: plan for plan in self.plans}

    @cached_property
    def add_ons_by_key(self) -> dict[str, AddOn]:
        """The add-ons by their keys."""
        return {add_on.key: add_on for add_on in self.add_ons}

    @cached_property
    def bundles_by_key(self) -> dict[str, Bundle]:
        """The bundles by their keys."""
        return {bundle.key: bundle for bundle in self.bundles}

    @cached_property
    def actions_by_key(self) -> dict[str, Action]:
        """The actions by their keys."""
        return {action.key: action for action in self.actions}

    @cached_property
    def _words_missing(self) -> dict[tuple[str, str | None, str], tuple[str, ...]]:
        return {}

    @cached_property
    def _bands(self) -> dict[str, list[PriceBand]]:
        return {item: [band for band in self.price_bands if band.item == item]
                for item in {band.item for band in self.price_bands}}  # fmt: skip

    @cached_property
    def _templates(self) -> dict[str, Template]:
        return {template.key: template for template in self.templates}

    @cached_property
    def _upgrades(self) -> dict[str, Plan]:
        ordered = sorted(self.plans, key=lambda plan: plan.rank)
        return {lower.key: higher for lower, higher in pairwise(ordered)}

    def next_plan(self, key: str) -> Plan | None:
        """Return the plan one rank above plan *key*, or None if *key* is the top plan or not a plan."""
        return self._upgrades.get(key)

    def price_band(self, item: str, region: str | None) -> PriceBand | None:
        """Return the band of *item* in *region*: the region's own, else the one for all; None if there is none."""
        bands = self._bands.get(item, ())
        own = next((band for band in bands if region in band.regions), None)
        return own or next((band for band in bands if not band.regions), None)

    def disclosures_for(self, action: Action, region: str | None, locale: str | None) -> dict[str, str]:
        """Return the sentences that must go with *action* in *region*, by their keys, in the best locale."""
        return {
            one.key: in_locale(one.texts, locale, self.default_locale)[1]
            for one in self.disclosures
            if one.goes_with(action, region)
        }

    def words_missing(self, action: Action, region: str | None, locale: str) -> tuple[str, ...]:
        """Return the keys of what must go with *action* in *region* and has no words that may be used for *locale*."""
        asked = (action.key, region, locale)
        known = self._words_missing.get(asked)
        if known is None:
            if len(self._words_missing) >= MEMORY:
                self._words_missing.clear()
            known = self._words_missing[asked] = self._without_words(action, region, locale)
        return known

    def _without_words(self, action: Action, region: str | None, locale: str) -> tuple[str, ...]:
        due: list[Disclosure | Template] = [one for one in self.disclosures if one.goes_with(action, region)]
        if action.template is not None:
            due.append(self._templates[action.template])
        return tuple(
            one.key
            for one in due
            if not speaks(one.texts, locale) and (one.own_language or self.default_locale not in one.texts)
        )

    def message(
        self, action: Action, locale: str | None, values: Mapping[str, str]
    ) -> tuple[str, str] | None:
        """Return the locale and the words of *action*'s message filled with *values*; None without a template."""
        if action.template is None:
            return None
        chosen, text = in_locale(self._templates[action.template].texts, locale, self.default_locale)
        return chosen, text.format_map(values)

    def approvals_needed(self, action: Action) -> int:
        """Return how many people other than the proposer must agree to *action*."""
        return self.approvals.get(action.blast_radius, 0)
