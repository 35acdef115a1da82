"""Batch says what the service says, for the same features at the same time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pyarrow as pa
import pytest

from serving.app import KeepgrowApp
from serving.batch.feature_table import FeatureTableError, feature_rows
from serving.batch.score_table import score_table, score_table_schema
from serving.bundle.loader import Bundle, load_bundle
from serving.bundle.store import find_bundle
from serving.clock import Clock
from serving.configured import fitting_policy
from serving.decisions.catalogue import load_catalogue
from serving.features.reader import OnlineReader
from tests.serving.world import NOW, departed, make_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving.conftest import World


async def test_batch_and_online_give_the_same_rows(world: World) -> None:
    """The matrix, ages and context out of Arrow equal those out of the store, value for value."""
    offline = feature_rows(world.features, world.bundle.manifest)
    reader = OnlineReader(world.bundle.manifest, world.redis_url)
    online = await reader.read(offline.account_ids, 5.0)
    await reader.close()
    assert offline.account_ids == online.account_ids
    assert offline.known.all()
    assert online.known.all()
    np.testing.assert_array_equal(offline.matrix, online.matrix)
    np.testing.assert_array_equal(offline.as_of, online.as_of)
    assert offline.context == online.context


async def test_batch_equals_the_service(world: World) -> None:
    """Scores, tiers, probabilities, signals, actions and their values agree with the HTTP answers."""
    bundle, catalogue = world.bundle, load_catalogue()
    policy = fitting_policy(None, catalogue, bundle)
    table = score_table(world.features, bundle, catalogue, policy, NOW)
    assert table.schema == score_table_schema(bundle.manifest)
    assert table.num_rows == world.features.num_rows
    contributions: list[float] = []
    app = KeepgrowApp(world.settings())
    await app.start(find_bundle(world.tag, world.home / "models"))
    app.state.clock = Clock(read=NOW.timestamp)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://keepgrow.test"
    ) as client:
        for row in table.to_pylist():
            body = {"account_id": row["account_id"]}
            score = (await client.post("/v1/score", json=body)).json()
            decision = (await client.post("/v1/next-best-action", json=body)).json()
            assert row["churn_risk_score"] == score["churn_risk_score"]
            assert row["churn_risk_tier"] == score["churn_risk_tier"]
            assert row["evidence"] == score["evidence"]["status"]
            for head in ("churn", "upsell"):
                for horizon, value in score[f"{head}_probability"].items():
                    assert row[f"{head}_probability_{horizon}"] == value
            for side in ("raising", "lowering"):
                told = [
                    {**one, "value": None if isinstance(one["value"], str) else one["value"]}
                    for one in score["signals"][side]
                ]
                assert row[f"signals_{side}"] == told
                contributions += [one["contribution"] for one in told]
            assert row["expansion_ready"] is score["expansion_ready"]
            assert row["signals_others"] == score["signals"]["others"]
            for name, value in score["signals"]["base"].items():
                assert row[f"signals_base_{name}"] == value
            assert row["action_key"] == (decision["action"] or {}).get("key")
            assert row["reason_code"] == decision["reason"]["code"]
            assert row["expected_value"] == (decision["expected_value"] or {}).get("amount")
            assert (row["model"], row["feature_contract"]) == (score["model"], score["feature_contract"])
            assert (row["catalogue"], row["policy"]) == (decision["catalogue"], decision["policy"])
    assert len(set(contributions)) > 2 * table.num_rows
    await app.stop()


@pytest.fixture(scope="module")
def further(world: World, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a bundle for the world's accounts that has intervals, support and an outlook."""
    store = tmp_path_factory.mktemp("further") / "models"
    return load_bundle(find_bundle(make_bundle(store, world.contract, outlook=True), store))


async def test_batch_adds_what_the_card_says_on_request(world: World, further: Bundle) -> None:
    """Intervals and outlook are columns that are there if asked for, with the numbers of the account card."""
    catalogue = load_catalogue()
    policy = fitting_policy(None, catalogue, further)
    plain = score_table(world.features, further, catalogue, policy, NOW)
    table = score_table(world.features, further, catalogue, policy, NOW, intervals=True, outlook=True)
    assert table.select(plain.schema.names).equals(plain)
    assert table.schema == score_table_schema(further.manifest, intervals=True, outlook=True)
    drivers: set[str | None] = set()
    app = KeepgrowApp(world.settings())
    await app.start(further.path)
    app.state.clock = Clock(read=NOW.timestamp)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://keepgrow.test"
    ) as client:
        for row in table.slice(5, 12).to_pylist():
            card = (await client.get(f"/v1/accounts/{row['account_id']}")).json()
            decision = card["next_best_action"]
            assert row["action_key"] == (decision["action"] or {}).get("key")
            assert (row["basis"], row["reason_code"]) == (decision["basis"], decision["reason"]["code"])
            for head in ("churn", "upsell"):
                for horizon, interval in card[f"{head}_interval_90"].items():
                    name = f"{head}_probability_{horizon}"
                    assert [row[f"{name}_low_90"], row[f"{name}_high_90"]] == interval
            for name, chance in card["health_trajectory"]["probability"].items():
                assert row[f"health_{name}_probability"] == chance
            for name in ("revenue_at_risk", "extra_mrr_if_expands", "expected_incremental_revenue"):
                assert row[name] == card[name]["amount"]
            assert row["upsell_probability_365d"] == card["upsell_probability_long"]["365d"]
            assert row["intervention_window"] == card["intervention_window"]
            assert row["days_to_close"] == card["time_to_close"]["expected_days"]
            assert row["evidence_reasons"] == card["evidence"]["reasons"]
            assert row["expansion_ready"] is card["expansion_ready"]
            driver = card["expansion_driver"] or {"feature": None, "text": None}
            told = [row["expansion_driver"], row["expansion_driver_text"]]
            assert told == [driver["feature"], driver["text"]]
            assert card["expansion_ready"] or card["expansion_driver"] is None
            drivers.add(driver["text"])
    assert len(drivers) > 2
    await app.stop()


def test_a_bundle_without_outlook_has_fewer_columns_to_add(world: World) -> None:
    """Of a bundle that has no intervals and no outlook, money and window are told, and what it lacks is no column."""
    bundle, catalogue = world.bundle, load_catalogue()
    policy = fitting_policy(None, catalogue, bundle)
    table = score_table(world.features, bundle, catalogue, policy, NOW, intervals=True, outlook=True)
    added = set(table.schema.names) - set(score_table_schema(bundle.manifest).names)
    assert added == {
        "intervention_window", "revenue_at_risk", "extra_mrr_if_expands", "expected_incremental_revenue",
        "revenue_currency", "days_to_close", "lift_retain", "lift_expand", "lift_return", "evidence_reasons",
        "expansion_driver", "expansion_driver_text",
    }  # fmt: skip
    assert table.column("revenue_at_risk").null_count == 0
    assert table.column("extra_mrr_if_expands").null_count == table.num_rows


def test_an_account_does_not_depend_on_its_batch(world: World) -> None:
    """Scored in batches of seven or all at once, the rows are the same."""
    bundle, catalogue = world.bundle, load_catalogue()
    policy = fitting_policy(None, catalogue, bundle)
    whole = score_table(world.features, bundle, catalogue, policy, NOW).to_pylist()
    parts = []
    for start in range(0, world.features.num_rows, 7):
        parts += score_table(world.features.slice(start, 7), bundle, catalogue, policy, NOW).to_pylist()
    assert parts == whole


def test_narrower_types_and_another_column_order_are_read(world: World) -> None:
    """Columns are found by name and widened."""
    manifest = world.bundle.manifest
    columns = {}
    for name in reversed(world.features.schema.names):
        column = world.features.column(name)
        columns[name] = column.cast(pa.int32()) if pa.types.is_int64(column.type) else column
    shuffled = pa.RecordBatch.from_pydict(columns)
    np.testing.assert_array_equal(
        feature_rows(shuffled, manifest).matrix, feature_rows(world.features, manifest).matrix
    )


def test_a_missing_or_mistyped_column_is_named(world: World) -> None:
    """A table without a feature, or with text in its place, is refused by the column's name."""
    manifest = world.bundle.manifest
    index = world.features.schema.get_field_index("logins_28d")
    with pytest.raises(FeatureTableError, match="no column 'logins_28d'"):
        feature_rows(world.features.remove_column(index), manifest)
    words = pa.array(["many"] * world.features.num_rows)
    with pytest.raises(FeatureTableError, match="'logins_28d' of the feature table is string"):
        feature_rows(world.features.set_column(index, "logins_28d", words), manifest)


def test_an_empty_batch_gives_an_empty_table(world: World) -> None:
    """No accounts in, no accounts out, with the schema."""
    catalogue = load_catalogue()
    policy = fitting_policy(None, catalogue, world.bundle)
    table = score_table(world.features.slice(0, 0), world.bundle, catalogue, policy, NOW)
    assert table.num_rows == 0
    assert table.schema == score_table_schema(world.bundle.manifest)


def test_categories_that_training_did_not_see_are_missing_and_still_told_to_policy(world: World) -> None:
    """A new plan is NaN to the model and its own name to decisions."""
    manifest = world.bundle.manifest
    index = world.features.schema.get_field_index("plan")
    gold = world.features.set_column(index, "plan", pa.array(["gold"] * world.features.num_rows))
    rows = feature_rows(gold, manifest)
    column = [feature.name for feature in manifest.contract.model_features].index("plan")
    assert all(math.isnan(value) for value in rows.matrix[:, column])
    assert {context["plan"] for context in rows.context} == {"gold"}


def test_accounts_that_have_left_have_their_chance_of_coming_back(world: World, tmp_path: Path) -> None:
    """Columns by horizon, MRR and evidence are those of the score; null for every account that has not left."""
    bundle = load_bundle(find_bundle(make_bundle(tmp_path, world.contract, outlook=True), tmp_path))
    catalogue = load_catalogue()
    policy = fitting_policy(None, catalogue, bundle)
    features = departed(world.features, {"acme-0001": 45.0, "acme-0002": 12.0})
    table = score_table(features, bundle, catalogue, policy, NOW)
    assert table.schema == score_table_schema(bundle.manifest)
    columns = [name for name in table.schema.names if name.startswith("winback_")]
    assert columns == [
        *(f"winback_probability_{days}d" for days in (30, 60, 90)), "winback_mrr", "winback_evidence",
    ]  # fmt: skip
    for row in table.to_pylist():
        told = [row[name] for name in columns]
        if row["account_id"] != "acme-0001":
            assert told == [None] * len(columns)
            continue
        assert 0 < told[0] <= told[1] <= told[2] < 1
        assert told[3:] == [1_250.0, "full"]
    assert not any(name.startswith("winback_") for name in score_table_schema(world.bundle.manifest).names)


def test_ends_of_the_chance_of_coming_back_are_columns_on_request(world: World, tmp_path: Path) -> None:
    """They enclose the chance of the account that has left, and are null for all others and no column unasked for."""
    catalogue = load_catalogue()
    features = departed(world.features, {"acme-0001": 45.0, "acme-0002": 12.0})
    ends = [f"winback_probability_{days}d_{end}_90" for days in (30, 60, 90) for end in ("low", "high")]
    for number, there in enumerate((True, False)):
        folder = tmp_path / str(number)
        tag = make_bundle(folder, world.contract, outlook=True, winback_interval=there)
        bundle = load_bundle(find_bundle(tag, folder))
        policy = fitting_policy(None, catalogue, bundle)
        table = score_table(features, bundle, catalogue, policy, NOW, intervals=True)
        assert table.schema == score_table_schema(bundle.manifest, intervals=True)
        assert [name for name in table.schema.names if name in ends] == (ends if there else [])
        assert not set(ends) & set(score_table_schema(bundle.manifest).names)
        for row in table.to_pylist():
            assert row["churn_probability_30d_low_90"] <= row["churn_probability_30d"]
            for days in (30, 60, 90) if there else ():
                low, high = (row[f"winback_probability_{days}d_{end}_90"] for end in ("low", "high"))
                if row["account_id"] == "acme-0001":
                    assert 0 < low < row[f"winback_probability_{days}d"] < high < 1
                else:
                    assert (low, high) == (None, None)
