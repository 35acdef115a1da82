"""Draws that several tests of uplift heads learn from."""

from __future__ import annotations

import pytest

from tests.training.uplift_world import SMALL, draws
from training.heads.uplift.draws import Draws


@pytest.fixture(scope="session")
def prepared():
    """Four thousand draws with cross-fitted outcomes, and the true effects."""
    logged, matrix, true, _ = draws(4_000)
    return Draws.cross_fitted(logged, matrix, "retained", None, settings=SMALL, seed=1), true
