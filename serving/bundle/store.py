"""Finds bundles in the BentoML model store by reading its folders.

Importing BentoML for that would take seconds and memory.

The store's layout is BentoML's: `<home>/models/<name>/<version>/model.yaml`, and
`<home>/models/<name>/latest` holds the version that was saved last. Beside it, `champion` holds the version that was
promoted last; `keepgrow promote` writes it, and BentoML leaves it alone.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from serving.bundle.manifest import MANIFEST_FILE
from serving.errors import BundleError

MODEL_NAME = "keepgrow"
LATEST = "latest"
CHAMPION = "champion"
_MODEL_FILE = "model.yaml"
_TAG = re.compile(
    r"(?P<name>[a-z0-9](?:[-._a-z0-9]*[a-z0-9])?)(?::(?P<version>[a-z0-9](?:[-._a-z0-9]*[a-z0-9])?))?"
)


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A bundle as the store describes it.

    Attributes:
        tag: `name:version`.
        path: Its folder.
        created_at: When it was saved, UTC.
        labels: What it was labelled with.
        metadata: What was said about it.
    """

    tag: str
    path: Path
    created_at: dt.datetime
    labels: dict[str, str]
    metadata: dict[str, Any]


def default_store() -> Path:
    """Return BentoML's model store: `models` below `BENTOML_HOME`, or below `~/bentoml` if that is unset."""
    home = os.environ.get("BENTOML_HOME") or str(Path("~") / "bentoml")
    return Path(os.path.expandvars(home)).expanduser() / "models"


def find_bundle(tag: str, store: Path | None = None) -> Path:
    """Return the folder of the bundle that *tag* names.

    Args:
        tag: `name:version`, `name:champion`, `name:latest`, or `name`: the champion, or the latest if none was promoted
            yet. The beginning of a version does if only one begins so.
        store: A model store; BentoML's own if None.

    Raises:
        BundleError: The tag is malformed, or names no bundle or several.
    """
    store = default_store() if store is None else store
    match = _TAG.fullmatch(tag)
    if match is None:
        raise BundleError(f"{tag!r} is not a model tag; one looks like {MODEL_NAME}:{LATEST}")
    name, version = match["name"], match["version"]
    folder = store / name
    if version == LATEST or (version is None and not has_champion(store, name)):
        return _latest(folder, store)
    if version in (None, CHAMPION):
        return _champion(folder, store)
    if _is_bundle(folder / version):
        return folder / version
    matches = [path for path in _versions(folder) if path.name.startswith(version)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise BundleError(f"{tag!r} fits {len(matches)} bundles: {', '.join(path.name for path in matches)}")
    known = ", ".join(path.name for path in _versions(folder)) or "none"
    raise BundleError(f"no bundle {tag!r} in the model store {store}; versions of {name!r} there: {known}")


def has_champion(store: Path | None = None, name: str = MODEL_NAME) -> bool:
    """Return whether a bundle called *name* was ever promoted; it may be gone by now."""
    return ((default_store() if store is None else store) / name / CHAMPION).exists()


def list_bundles(store: Path | None = None, name: str = MODEL_NAME) -> tuple[StoredBundle, ...]:
    """Return all bundles called *name*, newest first; none if the store is not there."""
    folder = (default_store() if store is None else store) / name
    found = [describe_bundle(path) for path in _versions(folder)]
    return tuple(sorted(found, key=lambda bundle: bundle.created_at, reverse=True))


def describe_bundle(path: Path) -> StoredBundle:
    """Return what the store says of the bundle in *path*.

    Raises:
        BundleError: `model.yaml` is not there, or not as BentoML writes it.
    """
    file = path / _MODEL_FILE
    try:
        facts = yaml.safe_load(file.read_text(encoding="utf-8"))
        created = facts["creation_time"]
        if not isinstance(created, dt.datetime):
            created = dt.datetime.fromisoformat(str(created))
        if created.tzinfo is None:
            created = created.replace(tzinfo=dt.UTC)
        return StoredBundle(
            tag=f"{facts['name']}:{facts['version']}",
            path=path,
            created_at=created.astimezone(dt.UTC),
            labels=dict(facts.get("labels") or {}),
            metadata=dict(facts.get("metadata") or {}),
        )
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{file}: not a model description as BentoML writes it: {error!r}") from error


def _latest(folder: Path, store: Path) -> Path:
    named = _named(folder, LATEST)
    if named is not None:
        return named
    versions = _versions(folder)
    if not versions:
        raise BundleError(f"the model store {store} holds no bundle {folder.name!r}; train one first")
    return max(versions, key=lambda path: describe_bundle(path).created_at)


def _champion(folder: Path, store: Path) -> Path:
    """Return what was promoted; never another bundle in its place, should that be gone."""
    named = _named(folder, CHAMPION)
    if named is not None:
        return named
    if not (folder / CHAMPION).exists():
        raise BundleError(
            f"no bundle {folder.name!r} in {store} has been promoted yet; `keepgrow promote TAG` does that"
        )
    version = (folder / CHAMPION).read_text(encoding="utf-8", errors="replace").strip()
    raise BundleError(f"the champion {folder.name}:{version} is no longer in {store}; promote another bundle")


def _named(folder: Path, pointer: str) -> Path | None:
    """Return the bundle that the file *pointer* names, or None if it names none that is there."""
    try:
        named = folder / (folder / pointer).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return named if named.parent == folder and _is_bundle(named) else None


def _versions(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _is_bundle(path))


def _is_bundle(path: Path) -> bool:
    return (path / _MODEL_FILE).is_file() and (path / MANIFEST_FILE).is_file()
