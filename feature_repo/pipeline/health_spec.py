"""What the `health` view promises: names, types, words. The score's formula stands in `health_level`.

The composite runs from 0 to 100 and higher is healthier. It is the weighted mean of five parts, each from 0 to
100: usage against the account's own baseline (0.35), adoption (0.20), support (0.15), payment (0.15) and
contact (0.15). A part that is not known drops out and the other weights are scaled up; as long as neither usage
nor adoption is known there is no score.
"""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

HEALTH = ViewSpec(
    name="health",
    description="A composite health score of the account, and how it moved.",
    owner="customer-success",
    freshness_days=2,
    tables=(
        "usage_daily",
        "feature_usage",
        "subscriptions",
        "support_tickets",
        "invoices",
        "engagements",
    ),
    views=("usage", "adoption", "sentiment", "commercial", "engagement"),
    # Models read the parts themselves: given the composite as well, they ranked churn worse on ChurnSim (test AUC at
    # 60 and 90 days 0.72 and 0.67, without it 0.75 and 0.70), at an equal validation loss.
    features=(
        Feature(
            "health_score",
            "Float64",
            "Composite health from 0 to 100, higher is healthier, of usage, adoption, support, payment and "
            "contact.",
            "health",
            "The health score is {value} of 100",
            role="policy",
        ),
        Feature(
            "health_score_28d_change",
            "Float64",
            "Points by which health differs from that of 28 days before.",
            "health_trend",
            "Health moved by {value} points in 28 days",
            role="policy",
        ),
        Feature(
            "health_score_90d_change",
            "Float64",
            "Points by which health differs from that of 90 days before.",
            "health_trend",
            "Health moved by {value} points in 90 days",
            role="offline",
        ),
        Feature(
            "health_score_90d_slope",
            "Float64",
            "Change of health in points per 30 days, by least squares over the last 90 days.",
            "health_trend",
            "Health moves by {value} points a month over the last 90 days",
            role="offline",
        ),
        Feature(
            "health_score_28d_std",
            "Float64",
            "Standard deviation of daily health over the last 28 days, in points.",
            "health_volatility",
            "Health varied by {value} points over the last 28 days",
            role="offline",
        ),
        Feature(
            "health_score_90d_std",
            "Float64",
            "Standard deviation of daily health over the last 90 days, in points.",
            "health_volatility",
            "Health varied by {value} points over the last 90 days",
            role="offline",
        ),
        Feature(
            "health_score_90d_drawdown",
            "Float64",
            "Points by which health lies under its highest of the last 90 days.",
            "health_trend",
            "Health is {value} points under its 90-day high",
            role="offline",
        ),
        Feature(
            "health_days_below_50_90d",
            "Int64",
            "Days of the last 90 with a health under 50.",
            "health",
            "Health was under 50 on {value} of the last 90 days",
            role="offline",
        ),
        Feature(
            "health_recoveries_180d",
            "Int64",
            "Times in the last 180 days that health rose to 10 points above its 28-day low.",
            "health_recovery",
            "Health recovered {value} times in the last 180 days",
            role="offline",
        ),
        Feature(
            "health_score_since_touch_change",
            "Float64",
            "Points by which health moved since the last touch with the customer's people, if within 90 days.",
            "health_recovery",
            "Health moved by {value} points since the last touch with the customer's people",
            role="offline",
        ),
    ),
)
