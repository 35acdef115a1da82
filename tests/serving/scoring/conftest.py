"""One small loaded bundle for the tests of this folder."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.bundle.loader import Bundle, load_bundle
from serving.bundle.store import find_bundle
from serving.features.rows import FeatureRows
from tests.training.export.small_models import TRAINED_AT, make_matrix, make_trained
from training.export.bundle import save_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
PLANS = ("basic", "pro", "team")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a loaded bundle of small random models."""
    folder = tmp_path_factory.mktemp("models")
    tag = save_bundle(make_trained(), trained_at=TRAINED_AT, store=folder, parity_rows=1_000, code="test")
    return load_bundle(find_bundle(tag, folder))


@pytest.fixture(scope="session")
def further(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a loaded bundle of small random models with intervals, support and an outlook."""
    folder = tmp_path_factory.mktemp("further")
    trained = make_trained(seed=11, outlook=True)
    tag = save_bundle(trained, trained_at=TRAINED_AT, store=folder, parity_rows=1_000, code="test")
    return load_bundle(find_bundle(tag, folder))


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., FeatureRows]:
    """Return a maker of feature rows of n accounts, an hour old."""

    def make(count: int, seed: int = 0, *, missing: float = 0.1) -> FeatureRows:
        matrix = make_matrix(np.random.default_rng(seed), count, missing=missing)
        plans = [None if np.isnan(code) else PLANS[int(code)] for code in matrix[:, 5]]
        return FeatureRows(
            account_ids=tuple(f"acme-{number:04d}" for number in range(count)),
            known=np.ones(count, dtype=np.bool_),
            matrix=matrix,
            as_of=np.full((count, 3), NOW.timestamp() - 3600.0),
            context=tuple({"plan": plan, "consent_email": True} for plan in plans),
        )

    return make
