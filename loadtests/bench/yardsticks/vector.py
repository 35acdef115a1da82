"""What every yardstick does with features: find the bundle, and put named values into the graph's order."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

BUNDLE_VARIABLE: Final = "BENCH_BUNDLE"
DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle's folder and its manifest as plain JSON.

    Attributes:
        path: The folder.
        manifest: The manifest.
    """

    path: Path
    manifest: dict[str, Any]

    @classmethod
    def from_environment(cls) -> Bundle:
        """Read the bundle whose folder the environment names."""
        path = Path(os.environ[BUNDLE_VARIABLE])
        return cls(path, json.loads((path / "manifest.json").read_text(encoding="utf-8")))

    @property
    def graph(self) -> str:
        """Path of the ONNX file."""
        return str(self.path / "bundle.onnx")

    @property
    def outputs(self) -> list[str]:
        """What the service asks the graph for one score: probabilities of each head, contributions, intervals."""
        heads = self.manifest["heads"]
        rest = [
            head.get(name) for name in ("contributions_output", "low_output", "high_output") for head in heads
        ]
        return [head["output"] for head in heads] + [output for output in rest if output]

    def inputs(self, matrix: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """Return what the service gives the graph for one score: the features, and that nothing further is wanted."""
        further = any(self.manifest.get(part) for part in ("long_horizon", "amount", "trajectory", "effects"))
        switched_off = {"outlook": np.array(False)} if further else {}
        if self.manifest.get("winback"):
            switched_off["departed"] = np.array(False)
        return {self.manifest["input_name"]: matrix, **switched_off}

    @property
    def features(self) -> list[dict[str, Any]]:
        """Every feature of the contract, in order."""
        features: list[dict[str, Any]] = self.manifest["contract"]["features"]
        return features

    @property
    def codes(self) -> dict[str, dict[str, float]]:
        """For each string feature of the model, the number of each known value."""
        return {
            encoding["feature"]: {name: float(number) for number, name in enumerate(encoding["categories"])}
            for encoding in self.manifest["encodings"]
        }


class Vector:
    """Turns features, by name, into the graph's input, and the graph's outputs into an answer."""

    def __init__(self, bundle: Bundle) -> None:
        self._names = [feature["name"] for feature in bundle.features if feature["role"] == "model"]
        self._codes = bundle.codes
        self._heads = [
            (f"{head['name']}_probability", [f"{days}d" for days in head["horizons_days"]])
            for head in bundle.manifest["heads"]
        ]

    def matrix(self, values: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """Return float64 of shape (accounts, model features) from lists of values by feature name."""
        columns = []
        for name in self._names:
            codes = self._codes.get(name)
            column = values[name] if codes is None else [codes.get(value, np.nan) for value in values[name]]
            columns.append([np.nan if value is None else float(value) for value in column])
        return np.array(columns, dtype=np.float64).T

    def answer(self, account_id: str, outputs: Sequence[NDArray[np.floating[Any]]]) -> dict[str, Any]:
        """Return the probabilities of one account, rounded as the service under test rounds them."""
        answer: dict[str, Any] = {"account_id": account_id}
        for (name, horizons), output in zip(self._heads, outputs, strict=False):
            rounded = [round(probability, DIGITS) for probability in output[0].tolist()]
            answer[name] = dict(zip(horizons, rounded, strict=True))
        return answer
