"""The ordinary way: a BentoML service that reads features by Feast's SDK and scores them by ONNX Runtime.

Written as the two projects' tutorials do it. One thing is done better than there, in its favour: the feature
service is looked up once and not on each request, which would cost 15 ms more.
"""

from __future__ import annotations

import os
from typing import Any

import bentoml
import onnxruntime as ort
from feast import FeatureStore

from loadtests.bench.yardsticks.vector import Bundle, Vector


@bentoml.service(name="ordinary_scorer", workers=int(os.environ.get("BENCH_WORKERS", "1")))
class OrdinaryScorer:
    """Scores one account."""

    def __init__(self) -> None:
        bundle = Bundle.from_environment()
        self.store = FeatureStore(repo_path=os.environ["BENCH_FEAST_REPO"])
        self.features = self.store.get_feature_service("keepgrow_v1")
        self.session = ort.InferenceSession(bundle.graph)
        self.bundle = bundle
        self.vector = Vector(bundle)

    @bentoml.api
    def score(self, account_id: str) -> dict[str, Any]:
        """Read the account's features and return its probabilities."""
        features = self.store.get_online_features(
            features=self.features, entity_rows=[{"account_id": account_id}]
        ).to_dict()
        outputs = self.session.run(self.bundle.outputs, self.bundle.inputs(self.vector.matrix(features)))
        return self.vector.answer(account_id, outputs)
