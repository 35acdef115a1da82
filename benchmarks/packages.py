"""Packages that only yardsticks need: imported when a benchmark reaches them, and named when they are missing."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any


class MissingYardstickError(Exception):
    """A package that a yardstick needs is not installed."""


def package(name: str) -> Any:  # noqa: ANN401 - none of them brings types
    """Import the yardstick package *name*.

    Raises:
        MissingYardstickError: It is not installed; the message says how to get it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingYardstickError(
            f"the package {name} is not installed ({error}); `make bench-models` installs the yardsticks"
        ) from error


def versions(*distributions: str) -> dict[str, str]:
    """Return the installed version of each of *distributions*, leaving out those that are not there."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
