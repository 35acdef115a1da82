"""The floor: the least that must be done to score an account in Python. A bare ASGI app under uvicorn.

One HMGET by `redis.asyncio` of the same fields, the shortest decoding that gives the right matrix, the same
call of the same graph, and `orjson` with the probabilities. It checks nothing and tells nothing else: no
unknown accounts, ages, reasons, limits, metrics or errors.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import onnxruntime as ort
import orjson
import redis.asyncio as redis

from loadtests.bench.yardsticks.vector import Bundle, Vector

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
STRING = 2  # Feast's number of the string type
DOUBLE_TAG, INT_TAG, BOOL_TAG, STRING_TAG = 0x29, 0x20, 0x38, 0x12  # protobuf tags of Feast's Value


def varint(data: bytes) -> float:
    """Return the number in a protobuf field of one byte of tag and a variable number of bytes."""
    value = shift = 0
    for byte in data[1:]:
        value |= (byte & 0x7F) << shift
        shift += 7
    return float(value - (1 << 64) if value >> 63 else value)


class Floor:
    """The app, with what it needs made once."""

    def __init__(self) -> None:
        bundle = Bundle.from_environment()
        contract = bundle.manifest["contract"]
        join_key = contract["join_key"].encode()
        self._before = struct.pack("<III", 1, STRING, len(join_key)) + join_key + struct.pack("<I", STRING)
        self._after = contract["project"].encode()
        self._fields = [bytes.fromhex(feature["redis_field_hex"]) for feature in bundle.features]
        self._fields += [f"_ts:{view['name']}".encode() for view in contract["views"]]
        codes = bundle.codes
        self._columns = [
            (place, codes.get(feature["name"]))
            for place, feature in enumerate(bundle.features)
            if feature["role"] == "model"
        ]
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(bundle.graph, options, providers=["CPUExecutionProvider"])
        self._input = bundle.manifest["input_name"]
        self._outputs = bundle.outputs
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
        outputs = self._session.run(self._outputs, {self._input: self._matrix(reply)})
        body = orjson.dumps(self._vector.answer(account_id, outputs))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _matrix(self, reply: list[bytes | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
        row = []
        for place, codes in self._columns:
            data = reply[place]
            if not data:
                row.append(np.nan)
            elif data[0] == DOUBLE_TAG:
                row.append(struct.unpack_from("<d", data, 1)[0])
            elif data[0] == STRING_TAG:
                row.append(np.nan if codes is None else codes.get(data[2:].decode(), np.nan))
            else:
                row.append(varint(data))
        return np.array([row])


app = Floor()
