"""What the account card says of an account's future: trajectory, a year's expansion, money at stake, time to act.

A pure function of score and features. What the bundle has no head for is None.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from serving.scoring.money import expected_days_to_event, revenue, revenue_at_risk
from serving.scoring.window import intervention_window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.bundle.manifest import Manifest
    from serving.features.rows import ContextValue
    from serving.scoring.result import AccountScore

DECLINING = "declining"


def prospects(
    manifest: Manifest, score: AccountScore, features: Mapping[str, ContextValue], currency: str
) -> dict[str, Any]:
    """Return the card's members about what lies ahead, as an HTTP answer shows them.

    Money is told for the scored horizon, a year's worth of it, in *currency*.

    Args:
        manifest: Of the bundle that gave *score*.
        score: With its intervals and its outlook.
        features: Of the account, by name.
        currency: ISO 4217 code of the account's MRR.
    """
    horizon = manifest.score_horizon
    mrr = _number(features.get("mrr"))
    trajectory = _trajectory(manifest, score)
    churn = list(score.churn_probability.values())
    outlook = score.outlook
    money = revenue(
        mrr=mrr,
        currency=currency,
        churn_probability=score.churn_probability[horizon],
        upsell_probability=score.upsell_probability.get(horizon, math.nan),
        extra_mrr_ratio=None if outlook is None else outlook.extra_mrr_ratio,
    ).to_dict()
    ends = None if score.churn_interval is None else score.churn_interval[horizon]
    at_risk_90 = None if ends is None else [revenue_at_risk(mrr, end) for end in ends]
    return {
        "upsell_probability_long": _long_horizon(manifest, score),
        "health_trajectory": trajectory,
        "intervention_window": intervention_window(
            churn[0],
            churn[-1],
            declining=math.nan if trajectory is None else trajectory["probability"].get(DECLINING, math.nan),
            days_to_term_end=_number(features.get("days_to_term_end"), math.nan),
        ),
        "revenue_at_risk": {
            "amount": money["revenue_at_risk"],
            "currency": currency,
            "interval_90": None
            if at_risk_90 is None or at_risk_90[0] is None
            else [None if end is None else round(end, 2) for end in at_risk_90],
        },
        "extra_mrr_if_expands": {"amount": money["extra_mrr_if_expands"], "currency": currency},
        "expected_incremental_revenue": {
            "amount": money["expected_incremental_revenue"], "currency": currency,
        },
        "time_to_close": _time_to_close(manifest, score),
    }  # fmt: skip


def _trajectory(manifest: Manifest, score: AccountScore) -> dict[str, Any] | None:
    told = manifest.trajectory
    if told is None or score.outlook is None or not score.outlook.trajectory:
        return None
    probability = dict(zip(told.classes, score.outlook.trajectory, strict=True))
    return {
        "days": told.days,
        "most_likely": max(told.classes, key=probability.__getitem__),
        "probability": probability,
    }


def _long_horizon(manifest: Manifest, score: AccountScore) -> dict[str, float] | None:
    told = manifest.long_horizon
    if told is None or score.outlook is None or score.outlook.upsell_long is None:
        return None
    return {f"{told.days}d": score.outlook.upsell_long}


def _time_to_close(manifest: Manifest, score: AccountScore) -> dict[str, float | int] | None:
    """Return the expected days until the account expands, given that it does so by the last horizon known of it."""
    horizons = [int(name.removesuffix("d")) for name in score.upsell_probability]
    probabilities = list(score.upsell_probability.values())
    told = manifest.long_horizon
    if told is not None and score.outlook is not None and score.outlook.upsell_long is not None:
        horizons.append(told.days)
        probabilities.append(score.outlook.upsell_long)
    days = expected_days_to_event(horizons, probabilities)
    return None if days is None else {"expected_days": round(days, 1), "within_days": horizons[-1]}


def _number(value: ContextValue, otherwise: Any = None) -> Any:  # noqa: ANN401 -- NaN or None, as the caller has it
    return float(value) if isinstance(value, int | float) else otherwise
