"""Loads a bundle: reads its manifest, opens its graph, and checks that the two speak of the same features.

What does not fit is refused here, when the service starts, and never found out by a wrong score.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from pydantic import ValidationError

from serving.bundle.basis import with_bases_told
from serving.bundle.checks import check_encodings, check_graph
from serving.bundle.manifest import GRAPH_FILE, MANIFEST_FILE, SCHEMA_VERSION, Manifest, hash_of
from serving.bundle.outputs import Outputs, contributions_output, interval_outputs, outlook_outputs
from serving.bundle.plans import Plan, make_plan
from serving.bundle.store import describe_bundle, find_bundle
from serving.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.bundle.manifest import AmountOutput, LongHorizon
    from serving.scoring.verification.document import VerificationDocument

__all__ = ["Bundle", "Outputs", "find_bundle", "load_bundle", "read_manifest"]

_LOG_ERRORS_ONLY = 3
_TENSOR_BYTES = 16 << 20  # the largest intermediate tensor of one call; larger calls are cut into chunks
_MAX_CHUNK_ROWS = 4096
_UNKNOWN_ROW_BYTES = 1 << 19  # of a graph that does not tell: of a thousand trees and a hundred features
_WARM_UP_ROWS = (1, 1, 16)


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
        interval_chunk_rows: The same with intervals.
        outlook_chunk_rows: The same with the outlook.
        verification: A company's own checks of what the bundle says; None for the packaged ones.
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
    interval_chunk_rows: int
    outlook_chunk_rows: int
    verification: VerificationDocument | None = None
    _plans: dict[tuple[bool, bool, bool, bool], Plan] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Plan once what each combination of switches asks of the graph."""
        plans = {
            (contributions, intervals, outlook, departed): make_plan(
                self, contributions=contributions, intervals=intervals, outlook=outlook, departed=departed
            )
            for contributions, intervals, outlook, departed in itertools.product((False, True), repeat=4)
        }
        object.__setattr__(self, "_plans", plans)

    @property
    def has_intervals(self) -> bool:
        """Whether every head has an interval."""
        return bool(interval_outputs(self.manifest))

    @property
    def has_outlook(self) -> bool:
        """Whether there is a long horizon, an amount, a trajectory or an effect."""
        return bool(outlook_outputs(self.manifest))

    @property
    def health_inputs(self) -> tuple[str, ...]:
        """Policy features that the trajectory reads; empty if there are none."""
        return () if self.manifest.trajectory is None else self.manifest.trajectory.inputs

    def run(
        self,
        matrix: NDArray[np.float64],
        *,
        contributions: bool,
        intervals: bool = False,
        outlook: bool = False,
        departed: bool = False,
        health: NDArray[np.float64] | None = None,
    ) -> Outputs:
        """Run the graph; memory is bounded whatever the number of rows.

        Args:
            matrix: Float64, shape (n, model features), columns in contract order, missing is NaN.
            contributions: Whether contributions are wanted; without them the graph does a quarter less work.
            intervals: Whether the ends of intervals are wanted.
            outlook: Whether long horizon, amount, trajectory and effects are wanted.
            departed: Whether the chance of coming back is wanted, since some of the accounts have left.
            health: Float64, shape (n, inputs of the trajectory), missing is NaN; read with the outlook only, and all
                missing if None.

        Raises:
            ValueError: *matrix* has another number of columns, or *health* another shape.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self.n_features:  # noqa: PLR2004 -- rows and columns
            raise ValueError(f"the matrix has shape {matrix.shape}; it should have {self.n_features} columns")
        plan = self._plans[contributions, intervals, outlook, departed]
        if health is not None and plan.outlook and self.health_inputs:
            return self._run_with_health(matrix, health, plan, contributions=contributions)
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        name = self.manifest.input_name
        if not len(matrix):  # ONNX Runtime can't multiply stacks of no matrices
            nothing = np.full((1, self.n_features), np.nan)
            arrays = [found[:0] for found in self.session.run(plan.names, {name: nothing, **plan.switches})]
        elif len(matrix) <= plan.chunk_rows:
            arrays = self.session.run(plan.names, {name: matrix, **plan.switches})
        else:
            parts = [
                self.session.run(plan.names, {name: matrix[start : start + plan.chunk_rows], **plan.switches})
                for start in range(0, len(matrix), plan.chunk_rows)
            ]
            arrays = [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
        probabilities = dict(zip(self.outputs, arrays, strict=False))
        rest = len(probabilities)
        if not (plan.intervals or plan.outlook or plan.departed):
            return Outputs(probabilities, arrays[rest] if contributions else None)
        return self._outputs(dict(zip(plan.names, arrays, strict=True)), plan, contributions=contributions)

    def _run_with_health(
        self,
        matrix: NDArray[np.float64],
        health: NDArray[np.float64],
        plan: Plan,
        *,
        contributions: bool,
    ) -> Outputs:
        """Run the graph with what the trajectory knows of health."""
        if health.shape != (len(matrix), len(self.health_inputs)):
            raise ValueError(
                f"health has shape {health.shape}; it should have {len(matrix)} rows of {len(self.health_inputs)} "
                "columns"
            )
        if not len(matrix):
            return self.run(
                matrix,
                contributions=contributions,
                intervals=plan.intervals,
                outlook=True,
                departed=plan.departed,
            )
        told = self.manifest.trajectory
        further = "" if told is None else str(told.input_name)
        parts = [
            self.session.run(
                plan.names,
                {
                    self.manifest.input_name: np.ascontiguousarray(matrix[start : start + plan.chunk_rows]),
                    further: np.ascontiguousarray(health[start : start + plan.chunk_rows]),
                    **plan.switches,
                },
            )
            for start in range(0, len(matrix), plan.chunk_rows)
        ]
        arrays = (
            parts[0] if len(parts) == 1 else [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
        )
        return self._outputs(dict(zip(plan.names, arrays, strict=True)), plan, contributions=contributions)

    def _outputs(self, arrays: dict[str, NDArray[np.float64]], plan: Plan, *, contributions: bool) -> Outputs:
        manifest = self.manifest
        explained: Any = arrays[self.contributions_output] if contributions else None

        def column(part: LongHorizon | AmountOutput | None) -> NDArray[np.float64] | None:
            return arrays[part.output][:, 0] if plan.outlook and part is not None else None

        effects = manifest.effects if plan.outlook else None
        trajectory = manifest.trajectory if plan.outlook else None
        winback = manifest.winback if plan.departed else None
        ends = winback.head if winback is not None and plan.winback_intervals else None
        return Outputs(
            probabilities={head: arrays[output] for head, output in self.outputs.items()},
            contributions=explained,
            low={head.name: arrays[str(head.low_output)] for head in manifest.heads}
            if plan.intervals
            else None,
            high={head.name: arrays[str(head.high_output)] for head in manifest.heads}
            if plan.intervals
            else None,
            long_horizon=column(manifest.long_horizon),
            extra_mrr_ratio=column(manifest.amount),
            trajectory=None if trajectory is None else arrays[trajectory.output],
            effects=None if effects is None else arrays[effects.output],
            effect_errors=None if effects is None else arrays[effects.errors_output],
            winback=None if winback is None else arrays[winback.head.output],
            winback_low=None if ends is None else arrays[str(ends.low_output)],
            winback_high=None if ends is None else arrays[str(ends.high_output)],
        )

    def run_explained(self, matrix: NDArray[np.float64]) -> Outputs:
        """Run the graph with contributions; see `run`."""
        return self.run(matrix, contributions=True)

    def warm_up(self) -> None:
        """Run the graph a few times, so that the first caller does not pay for its first allocations."""
        for rows in _WARM_UP_ROWS:
            for everything in (True, False):
                self.run(
                    np.full((rows, self.n_features), np.nan),
                    contributions=everything,
                    intervals=everything,
                    outlook=everything,
                    departed=everything,
                )


def load_bundle(source: Path | str) -> Bundle:
    """Load and check a bundle.

    Args:
        source: Its folder as a path, or its tag in the model store as a string.

    Raises:
        BundleError: A file is missing or damaged, the graph is not the one that was exported, the manifest's version
            is not supported, or manifest, contract and graph do not fit each other; the message says which feature or
            output.
    """
    path = find_bundle(source) if isinstance(source, str) else source
    manifest = read_manifest(path)
    check_encodings(manifest, path)
    session = _open(path / GRAPH_FILE, manifest.graph_hash)
    check_graph(session, manifest, path / GRAPH_FILE)
    facts = session.get_modelmeta().custom_metadata_map
    width = len(manifest.contract.model_features)

    def rows(fact: str) -> int:
        return _rows_that_fit(int(facts.get(fact, _UNKNOWN_ROW_BYTES)))

    tag = describe_bundle(path).tag if (path / "model.yaml").is_file() else f"{path.parent.name}:{path.name}"
    return Bundle(
        path=path,
        tag=tag,
        manifest=manifest,
        session=session,
        n_features=width,
        outputs={head.name: head.output for head in manifest.heads},
        contributions_output=contributions_output(manifest),
        chunk_rows=rows("row_bytes"),
        explained_chunk_rows=rows("explained_row_bytes"),
        interval_chunk_rows=rows("interval_row_bytes"),
        outlook_chunk_rows=rows("outlook_row_bytes"),
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
        return with_bases_told(Manifest.model_validate(raw))
    except ValidationError as error:
        breaches = "; ".join(
            f"{'.'.join(map(str, breach['loc'])) or 'manifest'}: {breach['msg']}" for breach in error.errors()
        )
        raise BundleError(f"{file}: {breaches}") from error


def _rows_that_fit(bytes_a_row: int) -> int:
    return max(1, min(_MAX_CHUNK_ROWS, _TENSOR_BYTES // max(1, bytes_a_row)))


def _open(file: Path, expected_hash: str | None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # One thread: a request is too small to share, and workers are the unit of scale.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _LOG_ERRORS_ONLY
    if not file.is_file():
        raise BundleError(f"{file.parent} is not a bundle: it has no {GRAPH_FILE}")
    try:
        found = expected_hash and hash_of(file.read_bytes())
    except OSError as error:
        raise BundleError(f"{file}: can't be read: {error}") from error
    if found != expected_hash:
        raise BundleError(
            f"{file}: is not the graph that was exported: its hash is {found}, the manifest says {expected_hash}; "
            "restore the bundle, or train it again"
        )
    try:
        return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common base below Exception
        raise BundleError(f"{file}: ONNX Runtime can't open it: {error}") from error
