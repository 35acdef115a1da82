"""Bundles that several tests of comparing and promoting look at."""

from __future__ import annotations

import pytest

from tests.training import rivals


@pytest.fixture(scope="session")
def right_bundle(tmp_path_factory):
    """The bundle that the rows follow, opened."""
    return rivals.opened(rivals.RIGHT, tmp_path_factory.mktemp("right") / "models")


@pytest.fixture(scope="session")
def wrong_bundle(tmp_path_factory):
    """Another random bundle, opened."""
    return rivals.opened(rivals.WRONG, tmp_path_factory.mktemp("wrong") / "models")


@pytest.fixture(scope="session")
def right_rows():
    """Test rows recorded by the right bundle."""
    return rivals.rows_recorded_by(rivals.RIGHT)


@pytest.fixture(scope="session")
def wrong_rows():
    """The same rows recorded by the wrong bundle."""
    return rivals.rows_recorded_by(rivals.WRONG)
