"""Which code made a bundle: the release and a digest of the sources; no version control is needed to tell."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import feature_repo
import training

PACKAGE = "keepgrow"
LIBRARIES = ("bentoml", "duckdb", "feast", "lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn")


def code_version() -> str:
    """Return `release+digest`, the digest taken over every module of the feature and training packages."""
    digest = hashlib.sha256()
    for package in (feature_repo, training):
        folder = Path(str(package.__file__)).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.relative_to(folder.parent).as_posix().encode())
            digest.update(file.read_bytes())
    return f"{_release(PACKAGE) or 'source'}+{digest.hexdigest()[:12]}"


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide what a bundle is."""
    found = {name: _release(name) for name in LIBRARIES}
    return {name: release for name, release in found.items() if release is not None}


def _release(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
