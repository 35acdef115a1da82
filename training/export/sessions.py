"""Opens and runs an exported graph with ONNX Runtime the way that serving does, for the checks at export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

_CHUNK_ROWS = 2_000
_ERRORS_ONLY = 3


def open_session(graph: bytes) -> ort.InferenceSession:
    """Return a session on one thread for the bytes of an ONNX file."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run_in_chunks(
    session: ort.InferenceSession,
    outputs: Sequence[str],
    matrix: NDArray[np.float64],
    *,
    explain: bool,
    intervals: bool = False,
    outlook: bool = False,
    departed: bool = False,
    chunk_rows: int = _CHUNK_ROWS,
    further: Mapping[str, NDArray[np.float64]] | None = None,
) -> Iterator[tuple[slice, dict[str, NDArray[np.floating]]]]:
    """Yield the rows of each chunk of *matrix* and its outputs by name; memory is bounded by the chunk.

    Args:
        session: From `open_session`.
        outputs: Which outputs.
        matrix: Float64, shape (n, features).
        explain: Whether contributions are computed.
        intervals: Whether ends of intervals are.
        outlook: Whether the outlook is.
        departed: Whether the chance of coming back is.
        chunk_rows: Rows a call.
        further: Optional inputs of n rows by name.
    """
    wanted = {"explain": explain, "intervals": intervals, "outlook": outlook, "departed": departed}
    known = {value.name for value in session.get_overridable_initializers()}
    switches = {name: np.array(value) for name, value in wanted.items() if name in known}
    for start in range(0, len(matrix), chunk_rows):
        rows = slice(start, min(start + chunk_rows, len(matrix)))
        more = {name: np.ascontiguousarray(values[rows]) for name, values in (further or {}).items()}
        feed = {"features": np.ascontiguousarray(matrix[rows]), **switches, **more}
        yield rows, dict(zip(outputs, session.run(list(outputs), feed), strict=True))
