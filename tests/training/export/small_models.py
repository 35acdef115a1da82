"""Small random heads and a contract to go with them; real LightGBM, trained in a moment."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

import lightgbm as lgb
import numpy as np
import pandas as pd

from feature_repo.contract import ContractFeature, ContractView, FeatureContract
from feature_repo.tables.dataset import DatasetInfo
from serving.bundle.manifest import Encoding, TrainingWindow
from tests.training.small_outlook import make_outlook
from training.definitions import load_definitions
from training.heads.hazard import HazardHead, Platt
from training.outlook_values import Outlook
from training.trained import TrainedModels

if TYPE_CHECKING:
    from numpy.typing import NDArray

HORIZONS = (30, 60, 90)
TRAINED_AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
# name, dtype, signal, text
_FEATURES: tuple[tuple[str, str, Any, str, str], ...] = (
    ("usage", "logins_7d", "Float64", "logins", "{value} log-ins in the last 7 days"),
    (
        "usage",
        "logins_28d_ratio",
        "Float64",
        "logins",
        "Log-ins {change} against this account's own baseline",
    ),
    ("usage", "api_calls_28d", "Float64", "api_calls", "{value} API calls in the last 28 days"),
    ("commercial", "mrr", "Float64", "revenue", "The account pays {money} a month"),
    ("commercial", "signed_at", "Int64", "tenure", ""),
    ("commercial", "plan", "String", "plan", "The plan is {value}"),
    ("commercial", "seats", "Int64", "seats", "{value} seats are paid for"),
    ("profile", "onboarded", "Bool", "onboarding", "Onboarded: {value}"),
    ("profile", "account_age_days", "Int64", "tenure", "The account is {days} old"),
    ("profile", "adoption_ratio", "Float64", "adoption", "{percent} % of the plan's features were used"),
)
N_FEATURES = len(_FEATURES)


def make_contract() -> FeatureContract:
    """Return a contract of ten model features in three views, and one policy feature."""
    features = [
        ContractFeature(
            view=view,
            name=name,
            dtype=dtype,
            role="model",
            description=f"What {name} is.",
            signal=signal,
            text=text,
            redis_field_hex=f"{column:08x}",
        )
        for column, (view, name, dtype, signal, text) in enumerate(_FEATURES)
    ]
    policy = features[7].model_copy(
        update={"name": "consent_email", "role": "policy", "signal": "consent", "text": ""}
    )
    return FeatureContract(
        project="keepgrow",
        feature_service="keepgrow_v1",
        join_key="account_id",
        views=(
            ContractView(name="usage", limit_seconds=172_800),
            ContractView(name="commercial", limit_seconds=172_800),
            ContractView(name="profile", limit_seconds=604_800),
        ),
        features=(*features, policy),
    )


def make_matrix(rng: np.random.Generator, rows: int, *, missing: float = 0.1) -> NDArray[np.float64]:
    """Return rows of counts, ratios, money, epoch seconds, categories and flags, some cells missing."""
    matrix = np.column_stack(
        [
            rng.poisson(4, rows).astype(np.float64),
            rng.lognormal(0, 0.5, rows),
            rng.lognormal(7, 2, rows),
            np.round(rng.lognormal(7, 1, rows), 2),
            1.7e9 + np.floor(rng.uniform(0, 5e7, rows)),
            rng.integers(0, 3, rows).astype(np.float64),
            rng.integers(1, 80, rows).astype(np.float64),
            rng.integers(0, 2, rows).astype(np.float64),
            rng.integers(0, 900, rows).astype(np.float64),
            rng.normal(0.4, 0.3, rows),
        ]
    )
    matrix[rng.random(matrix.shape) < missing] = np.nan
    return matrix


def make_booster(
    rng: np.random.Generator, *, trees: int = 12, leaves: int = 8, missing: float = 0.1, **params: Any
) -> lgb.Booster:
    """Return a small binary booster on `make_matrix` rows."""
    matrix = make_matrix(rng, 600, missing=missing)
    filled = np.nan_to_num((matrix - np.nanmean(matrix, 0)) / np.nanstd(matrix, 0))
    label = (filled @ rng.normal(size=N_FEATURES) + rng.normal(size=600) > 1.0).astype(np.float64)
    settings = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": 0.2,
        "min_data_in_leaf": 5,
        "num_threads": 1,
        "seed": 1,
        "verbose": -1,
        **params,
    }
    return lgb.train(settings, lgb.Dataset(matrix, label), trees)


def make_head(
    rng: np.random.Generator, name: Literal["churn", "upsell", "winback"], *, shared: bool = False
) -> HazardHead:
    """Return a head of three intervals; *shared*: all of them use one booster and differ by calibration."""
    first = make_booster(rng)
    boosters = (first, first, first) if shared else (first, make_booster(rng, missing=0.0), make_booster(rng))
    return HazardHead(
        name=name,
        horizons_days=HORIZONS,
        boosters=boosters,
        calibrations=tuple(
            Platt(float(rng.uniform(0.6, 1.3)), float(rng.normal(-1.0, 0.3))) for _ in HORIZONS
        ),
    )


def make_metrics() -> dict[str, Any]:
    """Return figures of the form that training reports."""

    def figure(value: float) -> dict[str, float | None]:
        return {"value": value, "low": value - 0.03, "high": value + 0.03}

    names = ("roc_auc", "average_precision", "brier", "log_loss", "lift_top_decile", "calibration_ratio")
    horizon = {
        "rows": 1200,
        "accounts": 400,
        "events": 62,
        "threshold": {"value": 0.31, "rule": "precision_first", "sentence": "Chosen on validation rows."},
        "models": {
            model: {"note": f"note on {model}", "metrics": {name: figure(value) for name in names}}
            for model, value in (
                ("keepgrow", 0.81),
                ("base_rate", 0.5),
                ("best_single_feature", 0.7),
                ("logistic_regression", 0.8),
            )
        },
        "roc_auc_gain": {
            "base_rate": {"value": 0.31, "low": 0.2, "high": 0.4},
            "best_single_feature": {"value": 0.11, "low": 0.05, "high": 0.2},
            "logistic_regression": {"value": 0.01, "low": -0.02, "high": 0.03},
        },
    }
    undefined = {
        **horizon,
        "models": {
            "keepgrow": {"note": "", "metrics": {"roc_auc": {"value": None, "low": None, "high": None}}},
        },
        "roc_auc_gain": {"base_rate": {"value": None, "low": None, "high": None}},
    }
    head = {"horizons": {"30d": undefined, "90d": horizon}, "importance": {"logins_7d": 0.6, "mrr": 0.4}}
    return {
        "heads": {"churn": head, "upsell": head},
        "bootstrap": {"samples": 300, "confidence": 0.95, "resampled": "accounts"},
        "odd": float("nan"),
    }


def make_trained(
    seed: int = 3, *, shared: bool = False, synthetic: bool = True, outlook: bool = False
) -> TrainedModels:
    """Return what training would hand over, with random models; *outlook*: with all that lies beyond the heads."""
    rng = np.random.default_rng(seed)
    heads = (make_head(rng, "churn", shared=shared), make_head(rng, "upsell"))
    further = Outlook()
    if outlook:
        further = make_outlook(heads, make_matrix(rng, 600), plan_column=5, boosted_amount=shared)
    thresholds = {"30d": 0.2, "60d": 0.25, "90d": 0.31}
    day = dt.date(2025, 1, 1)
    return TrainedModels(
        heads=heads,
        contract=make_contract(),
        encodings=(Encoding(feature="plan", categories=("basic", "pro", "team")),),
        window=TrainingWindow(
            train=(day, dt.date(2025, 6, 1)),
            validation=(dt.date(2025, 10, 1), dt.date(2025, 11, 1)),
            test=(dt.date(2026, 3, 1), dt.date(2026, 4, 1)),
            embargo_days=120,
            label_end=dt.date(2026, 8, 1),
        ),
        metrics=make_metrics(),
        thresholds={"churn": thresholds, "upsell": thresholds},
        background=make_matrix(rng, 500),
        test_predictions=pd.DataFrame({"account_id": ["a"]}),
        definitions=load_definitions(),
        dataset=DatasetInfo(name="small world", synthetic=synthetic),
        data_hash="sha256:" + "0" * 64,
        seed=seed,
        outlook=further,
    )
