"""All feature views in their order; what Feast, the contract, the reference page and the build read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_repo.pipeline.adoption_spec import ADOPTION
from feature_repo.pipeline.commercial_spec import COMMERCIAL
from feature_repo.pipeline.engagement_spec import ENGAGEMENT
from feature_repo.pipeline.profile_spec import PROFILE
from feature_repo.pipeline.sentiment_spec import SENTIMENT
from feature_repo.pipeline.usage_spec import USAGE

if TYPE_CHECKING:
    from feature_repo.pipeline.spec import ViewSpec

VIEWS: tuple[ViewSpec, ...] = (USAGE, ADOPTION, SENTIMENT, COMMERCIAL, ENGAGEMENT, PROFILE)

_BY_NAME = {view.name: view for view in VIEWS}


def view(name: str) -> ViewSpec:
    """Return the view *name*.

    Raises:
        KeyError: There is no such view.
    """
    return _BY_NAME[name]
