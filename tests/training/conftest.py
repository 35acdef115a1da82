"""What several tests look at: bundles to compare and promote, and a win-back head of many accounts."""

from __future__ import annotations

import pytest

from tests.training import returning, rivals


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


@pytest.fixture(scope="session")
def learnt_surely():
    """Rows of many accounts that leave and return, how sure the head is that was learnt of them, and what is told."""
    rows = returning.returning_rows(4_000)
    head, uncertainty, told = returning.trained(rows)
    assert uncertainty is not None
    assert uncertainty.head is head
    return rows, uncertainty, told
