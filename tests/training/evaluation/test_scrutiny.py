"""What a training reports besides quality, in the form that the manifest keeps."""

from __future__ import annotations

import json

from tests.training import rivals
from tests.training.heads.planted import DEFINITIONS, SPLIT, planted
from training.evaluation.scrutiny import scrutinise


def test_every_head_has_slices_gaps_and_robustness():
    """Both heads are looked at, at the scored horizon; the dictionary is JSON."""
    rows = planted(1, accounts=150)
    models = rivals.RIGHT
    found = scrutinise(
        models.heads,
        rows.parts(SPLIT, DEFINITIONS).test,
        rows.contract,
        rows.encodings,
        models.thresholds,
        horizon_days=90,
        samples=30,
        seed=1,
    )
    json.dumps(found, allow_nan=False)
    for head in ("churn", "upsell"):
        assert found["slices"][head]["horizon"] == "90d"
        assert found["slices"][head]["overall"]["rows"] == 150
        assert {"plan", "size", "tenure"} == set(found["slices"][head]["columns"])
        assert {gap["measure"] for gap in found["slices"][head]["gaps"]} == {
            "selection",
            "equal_opportunity",
            "calibration",
        }
        assert len(found["robustness"][head]["missing_views"]) == 3
