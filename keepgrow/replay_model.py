"""Scores the features of a recorded frame again, with the bundle that scored them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serving.bundle.loader import load_bundle
from serving.bundle.manifest import Manifest
from serving.bundle.store import find_bundle
from serving.decisions.frame import DecisionFrame
from serving.ledger.replay import Difference
from serving.scoring.score import PROBABILITY_DIGITS


def score_again(frame: DecisionFrame) -> list[Difference]:
    """Return where the probabilities of *frame*'s features are not those of the frame, to the digits that it holds.

    Raises:
        BundleError: The model store has it no more.
    """
    bundle = load_bundle(find_bundle(frame.model))
    outputs = bundle.run(matrix_of(frame, bundle.manifest), contributions=False)
    differences = []
    recorded = {"churn": frame.churn_probability, "upsell": frame.upsell_probability}
    for head in bundle.manifest.heads:
        now = dict(
            zip(
                (f"{days}d" for days in head.horizons_days),
                np.round(outputs.probabilities[head.name][0], PROBABILITY_DIGITS).tolist(),
                strict=True,
            )
        )
        differences += _differences(head.name, recorded[head.name], now)
    return differences


def matrix_of(frame: DecisionFrame, manifest: Manifest) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the model's one row of features, shape (1, features), encoded as the manifest says."""
    codes = {
        one.feature: {text: code for code, text in enumerate(one.categories)} for one in manifest.encodings
    }
    row = []
    for feature in manifest.contract.model_features:
        value = frame.features.get(feature.name)
        if feature.name in codes:
            code = codes[feature.name].get(value) if isinstance(value, str) else None
            row.append(np.nan if code is None else float(code))
        else:
            row.append(np.nan if value is None or isinstance(value, str) else float(value))
    return np.array([row], dtype=np.float64)


def _differences(head: str, recorded: Mapping[str, float], now: Mapping[str, float]) -> list[Difference]:
    return [
        Difference(f"/model/{head}/{horizon}", recorded.get(horizon), now.get(horizon))
        for horizon in [*recorded, *(name for name in now if name not in recorded)]
        if recorded.get(horizon) != now.get(horizon)
    ]
