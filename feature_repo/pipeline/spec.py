"""Values that describe a feature and a feature view; the one place that says its name, type and words.

The Feast views, the feature contract and the sentences that explain a score are all made from these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["Float64", "Int64", "String", "Bool"]
Role = Literal["model", "policy", "offline"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of one view.

    Attributes:
        name: Column name with unit and window, such as `api_calls_7d`.
        dtype: Feast type name.
        description: One sentence; becomes the Feast description and the reference page.
        signal: Key of the group of features that speak about the same thing, such as `logins`.
        text: The sentence that explains a value to people. Placeholders: `{value}` (number as is),
            `{percent}` (the value times 100), `{change}` (`fell 62 %`, `rose 12 %`, `held level`, from a
            ratio to a baseline where 1 is no change), `{money}`, `{days}`. Empty: `description: value` is
            used.
        role: `model` if models may read it, `policy` if only decisions may; `offline` if it is kept for people who
            analyse, and is in no feature service: what is served is read on every request.
    """

    name: str
    dtype: Dtype
    description: str
    signal: str
    text: str = ""
    role: Role = "model"


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """One feature view.

    Attributes:
        name: View name.
        description: One sentence.
        owner: Team that answers for it.
        freshness_days: Age in days past which a row is stale.
        tables: Raw tables that it is made from, also those behind the views that it reads.
        features: Its features in order.
        views: Views whose rows it is made from, before it in the order of views.
    """

    name: str
    description: str
    owner: str
    freshness_days: int
    tables: tuple[str, ...]
    features: tuple[Feature, ...]
    views: tuple[str, ...] = ()

    @property
    def served(self) -> tuple[Feature, ...]:
        """Its features that a feature service holds."""
        return tuple(feature for feature in self.features if feature.role != "offline")
