"""What the `adoption` view promises: names, types, words. The expressions stand in `adoption`."""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

ADOPTION = ViewSpec(
    name="adoption",
    description="How broadly the account uses the product's features, and how well they work for it.",
    owner="product-analytics",
    freshness_days=2,
    tables=("feature_usage", "subscriptions"),
    features=(
        Feature(
            "feature_uses_28d",
            "Float64",
            "Uses of all product features in the last 28 days.",
            "feature_uses",
            "Product features were used {value} times in the last 28 days",
        ),
        Feature(
            "features_used_28d",
            "Int64",
            "Different product features used in the last 28 days.",
            "breadth",
            "{value} different features used in the last 28 days",
        ),
        Feature(
            "features_used_28d_vs_baseline_ratio",
            "Float64",
            "Different features used in the last 28 days, divided by the mean of that over the 90 days "
            "before.",
            "breadth",
            "The number of features in use {change} against this account's own 90-day baseline",
        ),
        Feature(
            "advanced_features_used_28d",
            "Int64",
            "Different advanced features used in the last 28 days.",
            "advanced_features",
            "{value} advanced features used in the last 28 days",
        ),
        Feature(
            "adoption_ratio",
            "Float64",
            "Different features used in the last 90 days, divided by the number that the plan includes.",
            "breadth",
            "{percent} % of the plan's features were used in the last 90 days",
        ),
        Feature(
            "new_features_adopted_28d",
            "Int64",
            "Features that the account used for the first time in the last 28 days.",
            "new_features",
            "{value} features used for the first time in the last 28 days",
        ),
        Feature(
            "feature_error_ratio_28d",
            "Float64",
            "Share of feature uses of the last 28 days that ended in an error.",
            "errors",
            "{percent} % of feature uses ended in an error over the last 28 days",
        ),
    ),
)
