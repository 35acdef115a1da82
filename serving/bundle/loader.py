"""Loads a bundle: reads its manifest, opens its graph, and checks that the two speak of the same features.

What does not fit is refused here, when the service starts, and never found out by a wrong score.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from pydantic import ValidationError

from serving.bundle.manifest import GRAPH_FILE, MANIFEST_FILE, SCHEMA_VERSION, Head, Manifest
from serving.bundle.store import describe_bundle, find_bundle
from serving.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Bundle", "Outputs", "find_bundle", "load_bundle", "read_manifest"]

EXPLAIN_NAME = "explain"
_LOG_ERRORS_ONLY = 3
_TENSOR_BYTES = 16 << 20  # the largest intermediate tensor of one call; larger calls are cut into chunks
_MAX_CHUNK_ROWS = 4096
_UNKNOWN_ROW_BYTES = 1 << 19  # of a graph that does not tell: of a thousand trees and a hundred features
_WARM_UP_ROWS = (1, 1, 16)
_YES, _NO = np.array(True), np.array(False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the graph says of n accounts.

    Attributes:
        probabilities: Per head, float64 of shape (n, horizons of the head).
        contributions: Float32 of shape (n, model features), additive contributions in log-odds to the score
            head's probability at the scored horizon; None if they were not asked for.
    """

    probabilities: dict[str, NDArray[np.float64]]
    contributions: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A loaded, checked bundle; compared and hashed by identity, and safe to share between threads.

    Attributes:
        path: Its folder.
        tag: `name:version` in the model store.
        manifest: What it says of itself.
        session: The open graph.
        n_features: Columns of the matrix.
        outputs: The probability output of each head, in the manifest's order.
        contributions_output: The output with contributions.
        chunk_rows: Rows a call of the graph without contributions, so that no tensor is larger than 16 MiB.
        explained_chunk_rows: The same with contributions.
    """

    path: Path
    tag: str
    manifest: Manifest
    session: ort.InferenceSession
    n_features: int
    outputs: dict[str, str]
    contributions_output: str
    chunk_rows: int
    explained_chunk_rows: int
    _names: list[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """List the graph's outputs once."""
        object.__setattr__(self, "_names", [*self.outputs.values(), self.contributions_output])

    def run(self, matrix: NDArray[np.float64], *, contributions: bool) -> Outputs:
        """Run the graph; memory is bounded whatever the number of rows.

        Args:
            matrix: Float64, shape (n, model features), columns in contract order, missing is NaN.
            contributions: Whether contributions are wanted; without them the graph does a quarter less work.

        Raises:
            ValueError: *matrix* has another number of columns.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self.n_features:  # noqa: PLR2004 -- rows and columns
            raise ValueError(f"the matrix has shape {matrix.shape}; it should have {self.n_features} columns")
        names = self._names if contributions else self._names[:-1]
        size = self.explained_chunk_rows if contributions else self.chunk_rows
        explain = _YES if contributions else _NO
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        if len(matrix) <= size:
            arrays = self.session.run(names, {self.manifest.input_name: matrix, EXPLAIN_NAME: explain})
        else:
            parts = [
                self.session.run(
                    names,
                    {self.manifest.input_name: matrix[start : start + size], EXPLAIN_NAME: explain},
                )
                for start in range(0, len(matrix), size)
            ]
            arrays = [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
        return Outputs(
            probabilities=dict(zip(self.outputs, arrays, strict=False)),
            contributions=arrays[-1] if contributions else None,
        )

    def run_explained(self, matrix: NDArray[np.float64]) -> Outputs:
        """Run the graph with contributions; see `run`."""
        return self.run(matrix, contributions=True)

    def warm_up(self) -> None:
        """Run the graph a few times, so that the first caller does not pay for its first allocations."""
        for rows in _WARM_UP_ROWS:
            for contributions in (True, False):
                self.run(np.full((rows, self.n_features), np.nan), contributions=contributions)


def load_bundle(source: Path | str) -> Bundle:
    """Load and check a bundle.

    Args:
        source: Its folder as a path, or its tag in the model store as a string.

    Raises:
        BundleError: A file is missing or damaged, the manifest's version is not supported, or manifest,
            contract and graph do not fit each other; the message says which feature or output.
    """
    path = find_bundle(source) if isinstance(source, str) else source
    manifest = read_manifest(path)
    _check_encodings(manifest, path)
    session = _open(path / GRAPH_FILE)
    _check_graph(session, manifest, path / GRAPH_FILE)
    facts = session.get_modelmeta().custom_metadata_map
    width = len(manifest.contract.model_features)
    row_bytes = int(facts.get("row_bytes", _UNKNOWN_ROW_BYTES))
    tag = describe_bundle(path).tag if (path / "model.yaml").is_file() else f"{path.parent.name}:{path.name}"
    return Bundle(
        path=path,
        tag=tag,
        manifest=manifest,
        session=session,
        n_features=width,
        outputs={head.name: head.output for head in manifest.heads},
        contributions_output=_contributions_output(manifest),
        chunk_rows=_rows_that_fit(row_bytes),
        explained_chunk_rows=_rows_that_fit(int(facts.get("explained_row_bytes", _UNKNOWN_ROW_BYTES))),
    )


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of the bundle in the folder *path*.

    Raises:
        BundleError: It is missing, damaged, of an unknown version, or contradicts itself.
    """
    file = path / MANIFEST_FILE
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} is not a bundle: it has no {MANIFEST_FILE}") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{file}: not readable as JSON: {error}") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleError(f"{file}: schema_version is {version!r}; this release reads {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        breaches = "; ".join(
            f"{'.'.join(map(str, breach['loc'])) or 'manifest'}: {breach['msg']}" for breach in error.errors()
        )
        raise BundleError(f"{file}: {breaches}") from error


def _contributions_output(manifest: Manifest) -> str:
    name = manifest.head(manifest.score_head).contributions_output
    if name is None:
        raise BundleError(
            f"head {manifest.score_head!r} has no contributions output; the bundle can't give reasons"
        )
    return name


def _rows_that_fit(bytes_a_row: int) -> int:
    return max(1, min(_MAX_CHUNK_ROWS, _TENSOR_BYTES // max(1, bytes_a_row)))


def _open(file: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # One thread: a request is too small to share, and workers are the unit of scale.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _LOG_ERRORS_ONLY
    if not file.is_file():
        raise BundleError(f"{file.parent} is not a bundle: it has no {GRAPH_FILE}")
    try:
        return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common base below Exception
        raise BundleError(f"{file}: ONNX Runtime can't open it: {error}") from error


def _check_encodings(manifest: Manifest, path: Path) -> None:
    strings = {feature.name for feature in manifest.contract.model_features if feature.dtype == "String"}
    encoded = {encoding.feature for encoding in manifest.encodings}
    for name in sorted(strings - encoded):
        raise BundleError(f"{path / MANIFEST_FILE}: string feature {name!r} has no encoding")
    for name in sorted(encoded - strings):
        raise BundleError(
            f"{path / MANIFEST_FILE}: {name!r} has an encoding but is no string feature of the model"
        )


def _check_graph(session: ort.InferenceSession, manifest: Manifest, file: Path) -> None:
    features = [feature.name for feature in manifest.contract.model_features]
    inputs = session.get_inputs()
    if [value.name for value in inputs] != [manifest.input_name]:
        raise BundleError(
            f"{file}: needs inputs {[value.name for value in inputs]}; the manifest says "
            f"{manifest.input_name!r}"
        )
    if inputs[0].type != "tensor(double)":
        raise BundleError(f"{file}: input {manifest.input_name!r} is {inputs[0].type}, not tensor(double)")
    if EXPLAIN_NAME not in {value.name for value in session.get_overridable_initializers()}:
        raise BundleError(f"{file}: has no optional input {EXPLAIN_NAME!r}")
    named = session.get_modelmeta().custom_metadata_map.get("features", "").split("\n")
    for column, (ours, theirs) in enumerate(zip(features, named, strict=False)):
        if ours != theirs:
            raise BundleError(
                f"{file}: column {column} of the graph is {theirs!r}; the feature contract has {ours!r}"
            )
    if len(named) != len(features):
        odd = named[len(features)] if len(named) > len(features) else features[len(named)]
        raise BundleError(
            f"{file}: the graph names {len(named)} columns, the feature contract {len(features)} model "
            f"features; the first without a partner is {odd!r}"
        )
    if inputs[0].shape[1] != len(features):
        raise BundleError(
            f"{file}: takes {inputs[0].shape[1]} columns; the contract has {len(features)} features"
        )
    expected: list[tuple[str, int, str]] = [
        (head.output, len(head.horizons_days), "tensor(double)") for head in manifest.heads
    ]
    expected.append((_contributions_output(manifest), len(features), "tensor(float)"))
    _check_outputs(session.get_outputs(), expected, file)
    _check_score_head(manifest.heads, manifest, file)


def _check_outputs(outputs: Sequence[Any], expected: Sequence[tuple[str, int, str]], file: Path) -> None:
    found = {value.name: value for value in outputs}
    for name, width, kind in expected:
        if name not in found:
            raise BundleError(f"{file}: has no output {name!r}; it has {sorted(found)}")
        if found[name].type != kind or found[name].shape[-1] != width:
            raise BundleError(
                f"{file}: output {name!r} is {found[name].type} with {found[name].shape[-1]} columns; "
                f"the manifest says {kind} with {width}"
            )


def _check_score_head(heads: Sequence[Head], manifest: Manifest, file: Path) -> None:
    for head in heads:
        if head.name == manifest.score_head and manifest.score_horizon_days not in head.horizons_days:
            raise BundleError(
                f"{file}: head {head.name!r} has no horizon of {manifest.score_horizon_days} "
                "days, which the score needs"
            )
