"""The CEL library without its command line.

`import cel` brings in a terminal tool with all that it needs (some 440 modules and a third of a second), which a
server has no use for. What counts is one extension module; it is loaded by itself.
"""

from __future__ import annotations

import importlib
import importlib.util
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType


def _extension() -> ModuleType:
    package = importlib.util.find_spec("cel")
    spec = PathFinder.find_spec("cel.cel", package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        return importlib.import_module("cel")  # another layout, or not there: its own error says so
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


compile_cel: Any = _extension().compile
"""Compile an expression; the result has `execute`, `variables` and `functions`."""
