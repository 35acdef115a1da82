"""Where a bundle comes from: its window, its data and code, its parity, and what making it took."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from serving.bundle.manifest.value import Value


class TrainingWindow(Value):
    """Cutoffs of each part of the time split, and the embargo between them."""

    train: tuple[dt.date, dt.date]
    validation: tuple[dt.date, dt.date]
    test: tuple[dt.date, dt.date]
    embargo_days: int
    label_end: dt.date


class Parity(Value):
    """How far ONNX and LightGBM lay apart when the bundle was exported."""

    rows: int
    max_abs_difference: float
    tolerance: float


class Provenance(Value):
    """What the bundle was made from."""

    dataset: str
    synthetic: bool
    data_hash: str
    code_version: str
    definitions_hash: str
    trained_at: dt.datetime
    seed: int
    libraries: dict[str, str]
    configuration_hash: str | None = Field(
        default=None,
        description="Of definitions, settings and declared priors; bundles of earlier releases don't tell.",
    )


class StageCost(Value):
    """What one stage of a training took."""

    name: str
    seconds: float
    kept: bool = Field(
        default=False, description="Made by an earlier attempt that was interrupted; its seconds are of then."
    )


class TrainingCost(Value):
    """What a training took: the one part of a manifest, besides `trained_at`, that differs when it is repeated."""

    seconds: float = Field(
        description="By the clock, of the attempt that stored the bundle; stages side by side count once."
    )
    processor_seconds: float = Field(description="Of all threads, of the same attempt.")
    peak_memory_bytes: int = Field(
        description="Most resident memory of a process, interrupted attempts included."
    )
    stages: tuple[StageCost, ...]
