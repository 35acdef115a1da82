"""A small serving world for tests: the real contract, seeded accounts, a trained bundle, a filled store."""

from __future__ import annotations

import datetime as dt
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import lightgbm as lgb
import mmh3
import numpy as np
import pandas as pd
import pyarrow as pa
import redis

from feature_repo.contract import ContractFeature, ContractView, FeatureContract
from feature_repo.pipeline.views import VIEWS
from feature_repo.tables.dataset import DatasetInfo
from serving.batch.feature_table import feature_table_schema, time_column
from serving.bundle.manifest import Encoding, TrainingWindow
from serving.features.keys import EntityKeys
from tests.training.small_outlook import make_outlook, make_uncertainty
from training.definitions import Definitions, load_definitions
from training.export.bundle import save_bundle
from training.heads.hazard import HazardHead, Platt
from training.outlook_sources import HEALTH_INPUTS
from training.outlook_values import Outlook
from training.support import SupportRegion
from training.trained import TrainedModels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DAY = 86_400
END = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
"""Event time of every row: the end of the last day of data."""
NOW = END + dt.timedelta(hours=13)
ACCOUNTS = 40
ROUNDS = 30
UNSUPPORTED = 1e12
"""A value of a feature that is unlike all that training saw."""
IDLE = "idle"
"""The last account: it has no subscription, so nothing is proposed to it."""
CATEGORIES = {
    "plan": ("starter", "team", "business", "enterprise"),
    "segment": ("smb", "mid_market", "enterprise"),
    "industry": ("retail", "software"),
    "region": ("eu", "us"),
    "timezone": ("Europe/Berlin", "America/New_York"),
    "locale": ("de-DE", "en-US"),
    "preferred_channel": ("email", "in_app"),
}


def make_contract() -> FeatureContract:
    """Return the contract of all views as the pipeline specifies them."""
    return FeatureContract(
        project="keepgrow",
        feature_service="keepgrow_v1",
        join_key="account_id",
        views=tuple(ContractView(name=view.name, limit_seconds=view.freshness_days * DAY) for view in VIEWS),
        features=tuple(
            ContractFeature(
                view=view.name,
                name=feature.name,
                dtype=feature.dtype,
                role=feature.role,
                description=feature.description,
                signal=feature.signal,
                text=feature.text,
                redis_field_hex=mmh3.hash(f"{view.name}:{feature.name}", signed=False)
                .to_bytes(4, "little")
                .hex(),
            )
            for view in VIEWS
            for feature in view.served
        ),
    )


def account_ids(count: int = ACCOUNTS) -> list[str]:
    """Return account ids, some of them awkward."""
    awkward = ["Acme", "acme", "a/b c?d", "zoë-\N{ROCKET}", "x" * 256]
    return (awkward + [f"acme-{number:04d}" for number in range(count)])[:count]


def make_features(contract: FeatureContract, count: int = ACCOUNTS, seed: int = 7) -> pa.RecordBatch:  # noqa: C901 -- one branch a kind of feature
    """Return seeded features of *count* accounts as of `END`: a fifth missing, policy features complete."""
    random = np.random.default_rng(seed)
    columns: dict[str, list[object]] = {"account_id": list(account_ids(count))}
    for view in contract.views:
        columns[time_column(view.name)] = [END] * count
    for feature in contract.features:
        name = feature.name
        if feature.signal == "departure":  # every account has a subscription, or never had a paid one
            columns[name] = [None] * count
            continue
        if feature.dtype == "String":
            values: list[object] = [str(value) for value in random.choice(CATEGORIES[name], count)]
        elif feature.dtype == "Bool":
            values = [
                bool(value) for value in random.random(count) < (0.1 if name == "incident_active" else 0.85)
            ]
        elif name.startswith("quiet_hours"):
            values = [20 if name.endswith("start") else 7] * count
        elif feature.dtype == "Int64":
            values = [int(value) for value in random.integers(0, 200, count)]
        else:
            values = [float(value) for value in np.round(random.gamma(2.0, 0.4, count), 4)]
        if feature.role == "model" and name not in {"plan", "seats", "mrr", "account_age_days"}:
            values = [None if random.random() < 0.2 else value for value in values]
        if name == "account_age_days":
            values = [400] * count
        if name == "mrr":
            values = [float(value) for value in np.round(random.gamma(2.0, 900.0, count), 2)]
        if name == "has_active_subscription":
            values = [True] * count
        columns[name] = values
    columns["account_id"][-1] = IDLE
    columns["has_active_subscription"][-1] = False
    schema = feature_table_schema(contract)
    return pa.RecordBatch.from_pydict(columns, schema=schema)


def departed(features: pa.RecordBatch, days: Mapping[str, float]) -> pa.RecordBatch:
    """Return *features* with accounts that left so many *days* ago, by account, and had paid 1,250 a month."""
    rows = features.to_pylist()
    for row in rows:
        if row["account_id"] in days:
            row |= {
                "has_active_subscription": False,
                "plan": None,
                "mrr": 0.0,
                "seats": 0,
                "days_since_end": days[row["account_id"]],
                "mrr_at_end": 1_250.0,
                "ended_unpaid": False,
                "times_left": 1,
                "plan_at_end": "team",
                "seats_at_end": 12,
            }
    return pa.RecordBatch.from_pylist(rows, schema=features.schema)


def encode(value: object) -> bytes:
    """Return *value* as Feast writes it to Redis: a serialized `Value`."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return bytes([0x38, int(value)])
    if isinstance(value, int):
        return b"\x20" + _varint(value)
    if isinstance(value, float):
        return b"\x29" + struct.pack("<d", value)
    text = str(value).encode()
    return b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def write_online(url: str, contract: FeatureContract, features: pa.RecordBatch) -> None:
    """Write *features* to the store at *url* as Feast lays them out."""
    keys = EntityKeys(contract.project, contract.join_key)
    with redis.Redis.from_url(url) as client, client.pipeline(transaction=False) as pipe:
        for row in features.to_pylist():
            fields: dict[bytes | str, bytes] = {
                bytes.fromhex(feature.redis_field_hex): encode(row[feature.name])
                for feature in contract.features
            }
            for view in contract.views:
                if row[time_column(view.name)] is not None:
                    seconds = int(row[time_column(view.name)].timestamp())
                    fields[f"_ts:{view.name}"] = b"\x08" + _varint(seconds)
            pipe.hset(keys.key(row["account_id"]), mapping=fields)
        pipe.execute()


def make_bundle(
    store: Path,
    contract: FeatureContract,
    seed: int = 7,
    *,
    outlook: bool = False,
    winback_interval: bool = True,
) -> str:
    """Train small real heads on seeded noise, export them into the model store *store*, return the tag.

    With *outlook* the bundle has intervals, a region of support that only `UNSUPPORTED` values lie outside of, a long
    horizon, amounts, trajectories, win-back, and the effects of `tests.training.small_outlook`. Without
    *winback_interval* win-back has none, as in earlier releases.
    """
    random = np.random.default_rng(seed)
    definitions: Definitions = load_definitions()
    width = len(contract.model_features)
    matrix = random.gamma(2.0, 0.4, (1500, width))
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    encodings = tuple(
        Encoding(feature=feature.name, categories=CATEGORIES[feature.name])
        for feature in contract.model_features
        if feature.dtype == "String"
    )
    heads = []
    for name in ("churn", "upsell", *(("winback",) if outlook else ())):
        weight = random.normal(size=width)
        boosters = []
        for _ in definitions.horizons_days:
            margin = np.nan_to_num(matrix) @ weight * 0.3 - 1.5 + random.normal(size=len(matrix))
            data = lgb.Dataset(matrix, (margin > np.quantile(margin, 0.8)).astype(int))
            parameters = {
                "objective": "binary",
                "num_leaves": 7,
                "verbose": -1,
                "seed": seed,
                "num_threads": 1,
            }
            boosters.append(lgb.train(parameters, data, num_boost_round=ROUNDS))
        heads.append(
            HazardHead(
                name=name,  # type: ignore[arg-type]
                horizons_days=definitions.horizons_days,
                boosters=tuple(boosters),
                calibrations=(Platt(1.0, 0.0),) * len(boosters),
            )
        )
    further, heads_of_leavers = Outlook(), heads[2:]
    del heads[2:]
    if outlook:
        names = [feature.name for feature in contract.model_features]
        policy = [feature.name for feature in contract.features if feature.role == "policy"]
        made = make_outlook(
            heads,
            matrix,
            plan_column=names.index("plan"),
            seed=seed,
            health=tuple(name for name in HEALTH_INPUTS if name in policy),
        )
        top, weight = np.full(width, UNSUPPORTED / 2), np.full(width, 1 / width)
        sure = make_uncertainty(np.random.default_rng(seed + 1), heads_of_leavers[0])
        further = replace(
            made,
            support=SupportRegion(-top, top, weight, limit=0.5 / width),
            winback=sure.head,
            winback_uncertainty=sure if winback_interval else None,
        )
    day = dt.date(2025, 1, 1)
    trained = TrainedModels(
        heads=tuple(heads),
        contract=contract,
        encodings=encodings,
        window=TrainingWindow(
            train=(day, day), validation=(day, day), test=(day, day), embargo_days=90, label_end=day
        ),
        metrics={},
        thresholds={"upsell": {"90d": 0.4}},
        background=matrix[:400],
        test_predictions=pd.DataFrame(),
        definitions=definitions,
        dataset=DatasetInfo(name="test", synthetic=True),
        data_hash="sha256:test",
        seed=seed,
        outlook=further,
    )
    return save_bundle(trained, trained_at=END, store=store, parity_rows=2_000, code="test")
