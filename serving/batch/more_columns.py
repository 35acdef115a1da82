"""Columns of scores that are written on request: ends of intervals, and what the account card says of the future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from serving.scoring.prospects import prospects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.bundle.manifest import Manifest
    from serving.decisions.decision import Decision
    from serving.features.rows import ContextValue
    from serving.scoring.result import AccountScore
    from serving.scoring.sayings import Saying


def interval_fields(manifest: Manifest) -> list[pa.Field]:
    """Return the fields of `interval_values`; none for a head that has no interval, and null if none is told."""
    told = [(head, False) for head in manifest.heads]
    told += [] if manifest.winback is None else [(manifest.winback.head, True)]
    return [
        pa.field(f"{head.name}_probability_{days}d_{end}_90", pa.float64(), nullable=nullable)
        for head, nullable in told
        if head.low_output is not None
        for days in head.horizons_days
        for end in ("low", "high")
    ]


def interval_values(score: AccountScore) -> dict[str, float]:
    """Return the ends of the intervals of *score*."""
    by_head = {
        "churn": score.churn_interval,
        "upsell": score.upsell_interval,
        "winback": None if score.winback is None else score.winback.interval,
    }
    return {
        f"{head}_probability_{horizon}_{end}_90": value
        for head, by_horizon in by_head.items()
        if by_horizon is not None
        for horizon, interval in by_horizon.items()
        for end, value in zip(("low", "high"), interval, strict=True)
    }


def winback_fields(manifest: Manifest) -> list[pa.Field]:
    """Return the fields of `winback_values`; none if the bundle says nothing of accounts that have left."""
    told = manifest.winback
    if told is None:
        return []
    return [
        *(pa.field(f"winback_probability_{days}d", pa.float64()) for days in told.head.horizons_days),
        pa.field("winback_mrr", pa.float64()),
        pa.field("winback_evidence", pa.string()),
    ]


def winback_values(score: AccountScore) -> dict[str, float | str | None]:
    """Return the chance that an account that has left comes back, and with what MRR; nothing of any other."""
    if score.winback is None:
        return {}
    return {
        **{f"winback_probability_{horizon}": value for horizon, value in score.winback.probability.items()},
        "winback_mrr": score.winback.mrr_at_end,
        "winback_evidence": score.winback.shown(score.evidence)["evidence"]["status"],
    }


def outlook_fields(manifest: Manifest) -> list[pa.Field]:
    """Return the fields of `outlook_values` and `driver_values`."""
    classes = () if manifest.trajectory is None else manifest.trajectory.classes
    long = () if manifest.long_horizon is None else (f"upsell_probability_{manifest.long_horizon.days}d",)
    return [
        *(pa.field(name, pa.float64()) for name in long),
        *(pa.field(f"health_{name}_probability", pa.float64()) for name in classes),
        pa.field("intervention_window", pa.string(), nullable=False),
        pa.field("revenue_at_risk", pa.float64()),
        pa.field("extra_mrr_if_expands", pa.float64()),
        pa.field("expected_incremental_revenue", pa.float64()),
        pa.field("revenue_currency", pa.string(), nullable=False),
        pa.field("days_to_close", pa.float64()),
        pa.field("lift_retain", pa.float64()),
        pa.field("lift_expand", pa.float64()),
        pa.field("lift_return", pa.float64()),
        pa.field("evidence_reasons", pa.list_(pa.string()), nullable=False),
        pa.field("expansion_driver", pa.string()),
        pa.field("expansion_driver_text", pa.string()),
    ]


def driver_values(driver: Saying | None) -> dict[str, Any]:
    """Return what drives the expansion of an account, as a feature and in its sentence."""
    return {
        "expansion_driver": None if driver is None else driver.feature,
        "expansion_driver_text": None if driver is None else driver.text,
    }


def outlook_values(
    manifest: Manifest,
    score: AccountScore,
    features: Mapping[str, ContextValue],
    decision: Decision,
    currency: str,
) -> dict[str, Any]:
    """Return what lies ahead of an account, and the lifts of the action that was chosen for it.

    Args:
        manifest: Of the bundle that gave *score*.
        score: With its outlook.
        features: Of the account, by name.
        decision: About it.
        currency: ISO 4217 code of its MRR.
    """
    told = prospects(manifest, score, features, currency)
    trajectory, close = told["health_trajectory"], told["time_to_close"]
    value = None if decision.winner is None else decision.winner.value
    return {
        **{
            f"upsell_probability_{name}": chance
            for name, chance in (told["upsell_probability_long"] or {}).items()
        },
        **{
            f"health_{name}_probability": chance
            for name, chance in (trajectory["probability"] if trajectory else {}).items()
        },
        "intervention_window": told["intervention_window"],
        "revenue_at_risk": told["revenue_at_risk"]["amount"],
        "extra_mrr_if_expands": told["extra_mrr_if_expands"]["amount"],
        "expected_incremental_revenue": told["expected_incremental_revenue"]["amount"],
        "revenue_currency": currency,
        "days_to_close": close["expected_days"] if close else None,
        "lift_retain": value.lift_retain if value else None,
        "lift_expand": value.lift_expand if value else None,
        "lift_return": value.lift_return if value else None,
        "evidence_reasons": list(score.evidence.reasons),
    }
