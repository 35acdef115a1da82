"""Arrow in, Arrow out: scores and decisions of many accounts by the very code that answers requests.

A pure function of a record batch, so that it runs in a loop on one machine or in Spark's `mapInArrow`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from serving.batch.feature_table import feature_rows
from serving.batch.more_columns import (
    driver_values,
    interval_fields,
    interval_values,
    outlook_fields,
    outlook_values,
    winback_fields,
    winback_values,
)
from serving.batch.trend import TREND_COLUMN, change_of
from serving.decisions.framing import FrameMaker
from serving.decisions.next_best_action import decide
from serving.errors import UnknownAccount
from serving.scoring.engine import driver_of, score_rows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from serving.bundle.loader import Bundle
    from serving.bundle.manifest import Manifest
    from serving.decisions.catalogue import Catalogue
    from serving.decisions.decision import Decision
    from serving.decisions.policy.compiled import Policy
    from serving.scoring.result import AccountScore
    from serving.scoring.signals import Signal

SIGNALS = pa.list_(
    pa.struct(
        [
            pa.field("signal", pa.string()),
            pa.field("feature", pa.string()),
            pa.field("value", pa.float64()),
            pa.field("contribution", pa.float64()),
            pa.field("text", pa.string()),
        ]
    )
)


def score_table_schema(
    manifest: Manifest, *, intervals: bool = False, outlook: bool = False, trend: bool = False
) -> pa.Schema:
    """Return the schema of the scores that a bundle with this *manifest* gives; see `score_table`."""
    return pa.schema(
        [
            pa.field("account_id", pa.string(), nullable=False),
            pa.field("scored_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("churn_risk_score", pa.int32(), nullable=False),
            pa.field("churn_risk_tier", pa.string(), nullable=False),
            *(
                pa.field(f"{head.name}_probability_{days}d", pa.float64(), nullable=False)
                for head in manifest.heads
                for days in head.horizons_days
            ),
            *winback_fields(manifest),
            pa.field("signals_raising", SIGNALS, nullable=False),
            pa.field("signals_lowering", SIGNALS, nullable=False),
            pa.field("signals_others", pa.float64()),
            pa.field("signals_base_log_odds", pa.float64()),
            pa.field("signals_base_probability", pa.float64()),
            pa.field("expansion_ready", pa.bool_()),
            pa.field("action_type", pa.string()),
            pa.field("action_key", pa.string()),
            pa.field("action_title", pa.string()),
            pa.field("action_channel", pa.string()),
            pa.field("reason_code", pa.string(), nullable=False),
            pa.field("reason_text", pa.string(), nullable=False),
            pa.field("basis", pa.string(), nullable=False),
            pa.field("expected_value", pa.float64()),
            pa.field("expected_value_low_90", pa.float64()),
            pa.field("expected_value_high_90", pa.float64()),
            pa.field("currency", pa.string()),
            pa.field("decision_id", pa.string(), nullable=False),
            pa.field("valid_until", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("evidence", pa.string(), nullable=False),
            pa.field("failed_checks", pa.list_(pa.string()), nullable=False),
            pa.field("model", pa.string(), nullable=False),
            pa.field("feature_contract", pa.string(), nullable=False),
            pa.field("catalogue", pa.string(), nullable=False),
            pa.field("policy", pa.string(), nullable=False),
            *(interval_fields(manifest) if intervals else ()),
            *(outlook_fields(manifest) if outlook else ()),
            *((pa.field(TREND_COLUMN, pa.float64()),) if trend else ()),
        ]
    )


def score_table(
    table: pa.RecordBatch,
    bundle: Bundle,
    catalogue: Catalogue,
    policy: Policy,
    now: dt.datetime,
    *,
    intervals: bool = False,
    outlook: bool = False,
    earlier: Mapping[str, float] | None = None,
) -> pa.RecordBatch:
    """Return scores and decisions of the accounts of *table*, in its order.

    Args:
        table: Features, as `feature_table_schema` says; accounts without any row of any view are left out.
        bundle: The model.
        catalogue: Plans and actions.
        policy: Rules that every action must pass.
        now: Time of scores and decisions, aware.
        intervals: Whether to add the ends of each probability's 90 % interval, as far as the bundle has them.
        outlook: Whether to add what the account card says of the future.
        earlier: What `churn_probabilities` says of features of 30 days earlier, to add the change since; None if it is
            not wanted.

    Raises:
        FeatureTableError: A column is missing or of another type.
    """
    rows = feature_rows(table, bundle.manifest)
    maker = FrameMaker(bundle.manifest)
    lines = []
    for index, score in enumerate(score_rows(rows, bundle, now, intervals=intervals, outlook=True)):
        if isinstance(score, UnknownAccount):
            continue
        # People of the company read the list: caps are looked at when one of them applies an action.
        frame = dataclasses.replace(maker.frame(rows, index, score, now=now), lane="batch", caps_used={})
        decision = decide(frame, catalogue, policy)
        line = _line(score, decision)
        if intervals:
            line |= interval_values(score)
        if outlook:
            line |= outlook_values(bundle.manifest, score, frame.features, decision, catalogue.currency)
            line |= driver_values(driver_of(score, bundle, rows, index))
        if earlier is not None:
            line[TREND_COLUMN] = change_of(score, bundle.manifest.score_horizon, earlier)
        lines.append(line)
    schema = score_table_schema(
        bundle.manifest, intervals=intervals, outlook=outlook, trend=earlier is not None
    )
    return pa.RecordBatch.from_pylist(lines, schema=schema)


def _line(score: AccountScore, decision: Decision) -> dict[str, Any]:
    winner = decision.winner
    return {
        "account_id": score.account_id,
        "scored_at": decision.decided_at,
        "churn_risk_score": score.churn_risk_score,
        "churn_risk_tier": score.churn_risk_tier,
        **{f"churn_probability_{horizon}": value for horizon, value in score.churn_probability.items()},
        **{f"upsell_probability_{horizon}": value for horizon, value in score.upsell_probability.items()},
        **winback_values(score),
        "signals_raising": [_signal(signal) for signal in score.raising],
        "signals_lowering": [_signal(signal) for signal in score.lowering],
        "signals_others": score.others,
        **{f"signals_base_{name}": value for name, value in (score.signals_base or {}).items()},
        "expansion_ready": score.expansion_ready,
        "action_type": winner.action.type if winner else None,
        "action_key": winner.action.key if winner else None,
        "action_title": winner.action.title if winner else None,
        "action_channel": winner.action.channel if winner else None,
        "reason_code": decision.reason_code,
        "reason_text": decision.reason_text,
        "basis": decision.basis,
        "expected_value": round(winner.value.amount, 2) if winner else None,
        "expected_value_low_90": round(winner.value.low, 2) if winner else None,
        "expected_value_high_90": round(winner.value.high, 2) if winner else None,
        "currency": winner.value.currency if winner else None,
        "decision_id": decision.decision_id,
        "valid_until": decision.valid_until,
        "evidence": score.evidence.status,
        "failed_checks": [check.id for check in score.evidence.failed_checks],
        "model": score.model,
        "feature_contract": score.feature_contract,
        "catalogue": decision.catalogue,
        "policy": decision.policy,
    }


def _signal(signal: Signal) -> dict[str, Any]:
    """Return a signal as a row of its list; values that are text stand in the sentence only."""
    value = signal.value
    return {
        "signal": signal.signal,
        "feature": signal.feature,
        "value": None if value is None or isinstance(value, str) else float(value),
        "contribution": signal.contribution,
        "text": signal.text,
    }
