"""Bundle, catalogue and policy are checked against each other before anything is served."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from serving.configured import fitting_policy
from serving.decisions.catalogue import load_catalogue
from serving.errors import CatalogueError

if TYPE_CHECKING:
    from tests.serving.conftest import World


def test_a_catalogue_in_another_currency_than_the_data_is_refused(world: World) -> None:
    """Money is not converted: the error names both currencies, and a bundle that does not tell is taken as it is."""
    bundle, catalogue = world.bundle, load_catalogue(None)
    assert catalogue.currency == "USD"

    def in_currency(code: str | None) -> object:
        manifest = bundle.manifest.model_copy(update={"currency": code})
        return fitting_policy(None, catalogue, dataclasses.replace(bundle, manifest=manifest))

    assert in_currency("USD")
    assert in_currency(None)
    with pytest.raises(CatalogueError, match=r"is in USD, and the MRR that .* was trained on is in EUR"):
        in_currency("EUR")
