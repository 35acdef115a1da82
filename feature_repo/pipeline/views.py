"""All feature views in their order; what Feast, the contract, the reference page and the build read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_repo.pipeline.adoption_spec import ADOPTION
from feature_repo.pipeline.commercial_spec import COMMERCIAL
from feature_repo.pipeline.engagement_spec import ENGAGEMENT
from feature_repo.pipeline.external_spec import EXTERNAL
from feature_repo.pipeline.health_spec import HEALTH
from feature_repo.pipeline.peers_spec import PEERS
from feature_repo.pipeline.procurement_spec import PROCUREMENT
from feature_repo.pipeline.profile_spec import PROFILE
from feature_repo.pipeline.sentiment_spec import SENTIMENT
from feature_repo.pipeline.usage_spec import USAGE

if TYPE_CHECKING:
    from collections.abc import Collection

    from feature_repo.pipeline.spec import ViewSpec

VIEWS: tuple[ViewSpec, ...] = (USAGE, ADOPTION, SENTIMENT, COMMERCIAL, ENGAGEMENT, PROFILE, HEALTH, PEERS)
"""Views that every bundle reads."""

OPT_IN_VIEWS: tuple[ViewSpec, ...] = (PROCUREMENT, EXTERNAL)
"""Views that are built where their table is, and that a bundle reads only if its training asked for them."""

ALL_VIEWS: tuple[ViewSpec, ...] = (*VIEWS, *OPT_IN_VIEWS)

_BY_NAME = {view.name: view for view in ALL_VIEWS}


def built_views(tables: Collection[str], stored: Collection[str]) -> tuple[ViewSpec, ...]:
    """Return the views that a build makes, in order.

    Args:
        tables: Raw tables that are there.
        stored: Views that were built before; they are kept up to date even if their table is gone.
    """
    wanted = [one for one in OPT_IN_VIEWS if one.name in stored or any(name in tables for name in one.tables)]
    return (*VIEWS, *wanted)


def read_views(spec: ViewSpec) -> tuple[ViewSpec, ...]:
    """Return all views whose rows *spec* is made from, directly or through another, in the order of views."""
    names = set(spec.views)
    for one in reversed(VIEWS):
        if one.name in names:
            names.update(one.views)
    return tuple(one for one in VIEWS if one.name in names)


def view(name: str) -> ViewSpec:
    """Return the view *name*.

    Raises:
        KeyError: There is no such view.
    """
    return _BY_NAME[name]
