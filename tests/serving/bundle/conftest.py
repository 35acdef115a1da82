"""One small stored bundle for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.training.export.small_models import TRAINED_AT, make_trained
from training.export.bundle import save_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from training.trained import TrainedModels


@pytest.fixture(scope="session")
def trained() -> TrainedModels:
    """Return small random models."""
    return make_trained()


@pytest.fixture(scope="session")
def store(trained: TrainedModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model store that holds one bundle of them."""
    folder = tmp_path_factory.mktemp("models")
    save_bundle(trained, trained_at=TRAINED_AT, store=folder, parity_rows=1_000, code="test")
    return folder


@pytest.fixture(scope="session")
def further() -> TrainedModels:
    """Return small random models with intervals and an outlook."""
    return make_trained(seed=11, outlook=True)


@pytest.fixture(scope="session")
def further_store(further: TrainedModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model store that holds one bundle of them."""
    folder = tmp_path_factory.mktemp("further")
    save_bundle(further, trained_at=TRAINED_AT, store=folder, parity_rows=1_000, code="test")
    return folder
