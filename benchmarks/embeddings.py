"""Embeddings of texts, made on all cores and kept in files, so that a second run does not pay for them again."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.minilm import MiniLm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CHUNK: Final = 400
"""Texts a file."""


@cache
def _model() -> MiniLm:
    return MiniLm.load()


def chunks_of(texts: Sequence[str], folder: Path) -> list[tuple[tuple[str, ...], Path]]:
    """Return *texts* in chunks, each with the file that holds its embeddings or will."""
    found = []
    for start in range(0, len(texts), CHUNK):
        chunk = tuple(texts[start : start + CHUNK])
        digest = hashlib.sha256("\0".join(chunk).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        found.append((chunk, folder / f"minilm-{digest}.npy"))
    return found


def are_kept(texts: Sequence[str], folder: Path) -> bool:
    """Return whether *folder* holds the embeddings of all *texts*."""
    return all(path.exists() for _, path in chunks_of(texts, folder))


def embedded(texts: Sequence[str], folder: Path, *, workers: int | None = None) -> NDArray[np.float32]:
    """Return an embedding of unit length for each text, shape (n, 384), from *folder* where it is kept there.

    Args:
        texts: In the order of the result.
        folder: Keeps a file a chunk.
        workers: Processes; all cores if None.

    Raises:
        MissingYardstickError: An embedding isn't kept and the model is not installed.
    """
    chunks = chunks_of(texts, folder)
    waiting = [entry for entry in chunks if not entry[1].exists()]
    if waiting:
        _model()
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
            list(pool.map(_embed_chunk, *zip(*waiting, strict=True)))
    return np.concatenate([np.load(path) for _, path in chunks])


def _embed_chunk(chunk: tuple[str, ...], path: Path) -> None:
    with threadpool_limits(1):
        found = _model().embed(chunk)
    temporary = path.with_suffix(".tmp.npy")
    np.save(temporary, found)
    temporary.replace(path)
