"""Which code made a bundle: the release and a digest of the sources; no version control is needed to tell.

The sources are all of the feature and training packages, and whatever else of ours `keepgrow train` imports: how it
reads the catalogue's priors, and the form of the manifest. What only serves is none of them.
"""

from __future__ import annotations

import ast
import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import training

PACKAGE = "keepgrow"
ENTRIES = ("keepgrow/train.py", "serving/bundle/manifest/__init__.py")
"""The command, and the one package outside its own kind that training may import."""
LIBRARIES = (
    "bentoml",
    "duckdb",
    "feast",
    "ibis-framework",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxruntime",
    "optuna",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
)
_WHOLE = ("feature_repo", "training")
_IN_PART = ("keepgrow", "serving")
_SUFFIXES = frozenset({".py", ".yaml", ".j2"})


@cache
def code_version() -> str:
    """Return `release+digest`, the digest taken over every source that `sources` names."""
    root = _root()
    digest = hashlib.sha256()
    for file in sources(root):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return f"{_release(PACKAGE) or 'source'}+{digest.hexdigest()[:12]}"


def sources(root: Path) -> tuple[Path, ...]:
    """Return the files that decide what a bundle is, in the order of their names.

    Args:
        root: Folder of our packages. Modules, YAML files and templates of `feature_repo` and `training` below it count
            all, modules of `keepgrow` and `serving` as far as the train command imports them, at the top of a module or
            in a function, directly or not.
    """
    found = {
        file
        for package in _WHOLE
        for file in (root / package).rglob("*")
        if file.suffix in _SUFFIXES and file.is_file()
    }
    waiting = [root / entry for entry in ENTRIES if (root / entry).is_file()]
    while waiting:
        file = waiting.pop()
        found.add(file)
        waiting += [one for one in _imported(file, root) if one not in found]
    return tuple(sorted(found))


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide what a bundle is."""
    found = {"python": platform.python_version(), **{name: _release(name) for name in LIBRARIES}}
    return {name: release for name, release in found.items() if release is not None}


def _imported(file: Path, root: Path) -> list[Path]:
    """Return the files of packages of which a part counts that *file* may import, their packages' own included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found = []
    for name in names:
        parts = name.split(".")
        if parts[0] not in _IN_PART:
            continue
        for length in range(1, len(parts) + 1):
            path = root.joinpath(*parts[:length])
            found += [one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()]
    return found


def _root() -> Path:
    return Path(str(training.__file__)).parent.parent


def _release(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
