"""The floor: the least that must be done to score an account in Python. A bare ASGI app under uvicorn.

One HMGET by `redis.asyncio` of the same fields (each view's packed row and event time), the shortest decoding that
gives the right matrix, the same call of the same graph, and `orjson` with the probabilities. It checks nothing and
tells nothing else: no unknown accounts, damaged or outdated rows, ages, reasons, limits, metrics or errors.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
import orjson
import redis.asyncio as redis

from loadtests.bench.yardsticks.vector import Bundle, Vector

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Codes = dict[str, dict[str, float]]
STRING = 2  # Feast's number of the string type
HEAD_BYTES = 24  # of a packed row: layout and event time


@dataclass(frozen=True)
class Row:
    """Where a view's packed row holds the columns of the matrix.

    Attributes:
        numbers: Reads the numbers.
        texts_at: Where the texts begin.
        lengths: Reads the lengths of all texts.
        codes: Of each text of the matrix, which come first, the number of every known value.
        columns: The columns of numbers and texts.
    """

    numbers: struct.Struct
    texts_at: int
    lengths: struct.Struct
    codes: list[dict[str, float]]
    columns: list[int]

    @classmethod
    def of(cls, features: list[dict[str, Any]], columns: dict[str, int], codes: Codes) -> Row:
        """Return it for the features of one view."""
        model = [one for one in features if one["role"] == "model"]
        numbers = [one["name"] for one in model if one["dtype"] != "String"]
        texts = [one["name"] for one in model if one["dtype"] == "String"]
        exact = sum(one["role"] != "model" and one["dtype"] != "String" for one in features)
        words = 3 + len(numbers) + exact + -(-exact // 63) + 1
        every_text = sum(one["dtype"] == "String" for one in features)
        return cls(
            numbers=struct.Struct(f"<{len(numbers)}d"),
            texts_at=8 * words,
            lengths=struct.Struct(f"<{every_text}i"),
            codes=[codes[name] for name in texts],
            columns=[columns[name] for name in (*numbers, *texts)],
        )

    def read(self, row: bytes) -> list[float]:
        """Return the numbers of `columns`."""
        values = list(self.numbers.unpack_from(row, HEAD_BYTES))
        at = self.texts_at + self.lengths.size
        if self.codes:
            lengths = self.lengths.unpack_from(row, self.texts_at)
            for length, codes in zip(lengths, self.codes, strict=False):
                values.append(codes.get(row[at : at + length].decode(), np.nan) if length >= 0 else np.nan)
                at += max(length, 0)
        return values


class Floor:
    """The app, with what it needs made once."""

    def __init__(self) -> None:
        bundle = Bundle.from_environment()
        contract = bundle.manifest["contract"]
        join_key = contract["join_key"].encode()
        self._before = struct.pack("<III", 1, STRING, len(join_key)) + join_key + struct.pack("<I", STRING)
        self._after = contract["project"].encode()
        views = [view["name"] for view in contract["views"]]
        self._fields = [f"{kind}:{view}" for kind in ("_row", "_ts") for view in views]
        model = [feature["name"] for feature in bundle.features if feature["role"] == "model"]
        columns, codes = {name: column for column, name in enumerate(model)}, bundle.codes
        by_view = [[one for one in bundle.features if one["view"] == view] for view in views]
        self._rows = [Row.of(features, columns, codes) for features in by_view]
        self._columns = len(model)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(bundle.graph, options, providers=["CPUExecutionProvider"])
        self._outputs = bundle.outputs
        self._inputs = bundle.inputs(np.empty((1, self._columns)))
        self._input = bundle.manifest["input_name"]
        self._vector = Vector(bundle)
        self._redis = redis.Redis.from_url(os.environ["REDIS_URL"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] != "http":
            return
        account_id = orjson.loads((await receive())["body"])["account_id"]
        account = account_id.encode()
        key = self._before + struct.pack("<I", len(account)) + account + self._after
        reply: list[Any] = await self._redis.hmget(key, self._fields)  # type: ignore[misc]
        outputs = self._session.run(self._outputs, self._inputs | {self._input: self._matrix(reply)})
        body = orjson.dumps(self._vector.answer(account_id, outputs))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _matrix(self, reply: list[bytes | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
        matrix = np.full((1, self._columns), np.nan)
        for row, data in zip(self._rows, reply, strict=False):
            if data and row.columns:
                matrix[0, row.columns] = row.read(data)
        return matrix


app = Floor()
