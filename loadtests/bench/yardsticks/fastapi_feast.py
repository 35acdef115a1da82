"""FastAPI with Feast's SDK and ONNX Runtime, under uvicorn: the ordinary way without BentoML."""

from __future__ import annotations

import os
from typing import Any

import onnxruntime as ort
from fastapi import FastAPI
from feast import FeatureStore
from pydantic import BaseModel

from loadtests.bench.yardsticks.vector import Bundle, Vector

bundle = Bundle.from_environment()
store = FeatureStore(repo_path=os.environ["BENCH_FEAST_REPO"])
features = store.get_feature_service("keepgrow_v1")
session = ort.InferenceSession(bundle.graph)
vector = Vector(bundle)
app = FastAPI()


class ScoreRequest(BaseModel):
    """Which account to score."""

    account_id: str


@app.post("/score")
def score(request: ScoreRequest) -> dict[str, Any]:
    """Read the account's features and return its probabilities."""
    values = store.get_online_features(
        features=features, entity_rows=[{"account_id": request.account_id}]
    ).to_dict()
    outputs = session.run(bundle.outputs, bundle.inputs(vector.matrix(values)))
    return vector.answer(request.account_id, outputs)
