"""What a training rests on, as digests: data, configuration, code, and all of them together.

Two trainings whose digests are equal give the same models to the bit on one machine. What only goes along in a
manifest, such as the currency or figures by the truth of a synthetic world, is in none of them. The digests stand in
the manifest, and stages of an interrupted training are kept under them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from feature_repo.contract import canonical_hash

if TYPE_CHECKING:
    from training.dataset import TrainingSet
    from training.definitions import Definitions
    from training.outlook_sources import OutlookSources
    from training.settings import TrainingSettings
    from training.splits import Split


def value_hash(*values: Any) -> str:  # noqa: ANN401 - any value
    """Return `sha256:` and a digest of *values*: equal values, equal digest, in any process.

    Told apart are type, shape and every bit of arrays, all fields of data classes and models, order of sequences;
    mappings and sets are taken without order.

    Raises:
        TypeError: A value, or something in it, is of a kind that has no digest here.
    """
    digest = hashlib.sha256()
    for value in values:
        digest.update(_digest(value))
    return "sha256:" + digest.hexdigest()


def data_hash(rows: TrainingSet, sources: OutlookSources | None) -> str:
    """Return the digest of all data that training reads: features, labels, amounts, health levels and draws.

    Args:
        rows: The training set.
        sources: What the outlook is learnt from, or None if nothing is; its priors are configuration.
    """
    if sources is None:
        return rows.hash
    return value_hash(rows.hash, dataclasses.replace(sources, priors={}))


def configuration_hash(
    definitions: Definitions, settings: TrainingSettings, sources: OutlookSources | None
) -> str:
    """Return the digest of what people choose: definitions, settings that matter, and declared priors.

    Args:
        definitions: As trained with, tuned stages included.
        settings: Threads are left out, since nothing depends on them.
        sources: Holds the priors.
    """
    priors = {} if sources is None else dict(sources.priors)
    return canonical_hash(
        {"definitions": value_hash(definitions), "settings": settings.hash, "priors": value_hash(priors)}
    )


def run_key(
    rows: TrainingSet,
    sources: OutlookSources | None,
    split: Split,
    definitions: Definitions,
    settings: TrainingSettings,
    *,
    seed: int,
    code: str,
) -> str:
    """Return the digest of everything that a training's stages depend on.

    Args:
        rows: The training set.
        sources: What the outlook is learnt from.
        split: Cutoffs of each part.
        definitions: As given, before any tuning.
        settings: Sizes.
        seed: Seed of everything random.
        code: Version of code and libraries.
    """
    return value_hash(
        data_hash(rows, sources),
        configuration_hash(definitions, settings, sources),
        split,
        seed,
        code,
    )


def _digest(value: Any) -> bytes:  # noqa: ANN401 - any value
    """Return 32 bytes that tell *value*; parts are digested by themselves, so that none can pass for another."""
    kind, parts = _told(value)
    digest = hashlib.sha256(kind.encode() + b"\0")
    for part in parts:
        digest.update(part)
    return digest.digest()


def _told(value: Any) -> tuple[str, Sequence[bytes]]:  # noqa: ANN401, PLR0911 - a line a kind
    """Return the kind of *value*, and the bytes that tell it from others of its kind."""
    if value is None or isinstance(value, bool | int | float | str | dt.date | dt.datetime | dt.timedelta):
        return type(value).__name__, [repr(value).encode("utf-8", "surrogatepass")]
    if isinstance(value, np.generic):
        return _told(np.asarray(value))
    if isinstance(value, np.ndarray):
        return _told_array(value)
    if isinstance(value, BaseModel):
        return type(value).__name__, [canonical_hash(value.model_dump(mode="json")).encode()]
    if dataclasses.is_dataclass(value):
        return type(value).__name__, [
            one
            for field in dataclasses.fields(value)
            for one in (_digest(field.name), _digest(getattr(value, field.name)))
        ]
    if isinstance(value, Mapping):
        return "mapping", sorted(_digest(key) + _digest(inner) for key, inner in value.items())
    if isinstance(value, set | frozenset):
        return "set", sorted(_digest(inner) for inner in value)
    if isinstance(value, Sequence):
        return "sequence", [_digest(inner) for inner in value]
    raise TypeError(f"a {type(value).__name__} has no digest")


def _told_array(array: np.ndarray[Any, Any]) -> tuple[str, Sequence[bytes]]:
    kind = f"array {array.dtype.str} {array.shape}"
    if array.dtype != object:
        return kind, [np.ascontiguousarray(array).tobytes()]
    flat = array.ravel().tolist()
    if not all(isinstance(one, str) for one in flat):
        return kind, [_digest(one) for one in flat]
    # Account ids, by the million: all in one go, with their lengths, so that none can run into the next.
    lengths = np.fromiter(map(len, flat), dtype=np.int64, count=len(flat))
    return f"{kind} of text", [lengths.tobytes(), "".join(flat).encode("utf-8", "surrogatepass")]
