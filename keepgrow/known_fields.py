"""What conditions may speak of on the command line: the fields of a bundle's contract, or of the packaged views."""

from __future__ import annotations

from feature_repo.pipeline.views import VIEWS
from serving.bundle.loader import load_bundle
from serving.bundle.store import find_bundle
from serving.decisions.policy.fields import Field, fields_of, policy_fields
from training.definitions import HEADS, load_definitions


def known_fields(model: str | None) -> dict[str, Field]:
    """Return the fields of the bundle with the tag *model*, or without one those of the views, by name.

    Raises:
        BundleError: There is no such bundle.
    """
    if model is not None:
        return dict(fields_of(load_bundle(find_bundle(model)).manifest))
    horizons = load_definitions().horizons_days
    return dict(
        policy_fields(
            ((feature.name, feature.dtype, feature.description) for view in VIEWS for feature in view.served),
            (f"{head}_probability_{days}d" for head in HEADS for days in horizons),
        )
    )
