"""The catalogue: what can be sold, at which prices, what can be done, and what is believed about its effect.

It is data that a company writes, one YAML file; a contradiction in it is refused by name before anything is
decided with it. `document` is the whole, the other modules are its parts.
"""

from serving.decisions.catalogue.actions import (
    Action,
    Condition,
    ExtraMrr,
    Lift,
    Priors,
    Requirements,
)
from serving.decisions.catalogue.document import Catalogue
from serving.decisions.catalogue.offerings import AddOn, Bundle, Plan
from serving.decisions.catalogue.prices import PriceBand
from serving.decisions.catalogue.reading import PACKAGED_CATALOGUE, load_catalogue, parse_catalogue
from serving.decisions.catalogue.vocabulary import (
    ACTION_TYPES,
    ActionType,
    Audience,
    BlastRadius,
    Channel,
    Purpose,
    Surface,
)
from serving.decisions.catalogue.wording import Disclosure, Template

__all__ = [
    "ACTION_TYPES",
    "PACKAGED_CATALOGUE",
    "Action",
    "ActionType",
    "AddOn",
    "Audience",
    "BlastRadius",
    "Bundle",
    "Catalogue",
    "Channel",
    "Condition",
    "Disclosure",
    "ExtraMrr",
    "Lift",
    "Plan",
    "PriceBand",
    "Priors",
    "Purpose",
    "Requirements",
    "Surface",
    "Template",
    "load_catalogue",
    "parse_catalogue",
]
