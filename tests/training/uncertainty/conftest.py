"""A small trained head with its uncertainty, fitted once."""

from __future__ import annotations

import pytest

from tests.training.heads.planted import DEFINITIONS, NAMES, SPLIT, planted
from training.heads.train import train_head
from training.uncertainty.fit import fit_uncertainty


@pytest.fixture(scope="session")
def parts():
    """Rows of a planted world, whose true hazards are a known function of one feature."""
    return planted(5).parts(SPLIT, DEFINITIONS)


@pytest.fixture(scope="session")
def trained(parts):
    """The churn head of that world."""
    return train_head(
        "churn",
        parts.train.head_rows("churn"),
        parts.validation.head_rows("churn"),
        parts.refit.head_rows("churn"),
        definitions=DEFINITIONS,
        feature_names=NAMES,
        seed=3,
        num_threads=1,
        progress=lambda _: None,
    )


@pytest.fixture(scope="session")
def uncertainty(parts, trained):
    """How sure that head is."""
    return fit_uncertainty(trained, parts, definitions=DEFINITIONS, feature_names=NAMES, seed=3)
