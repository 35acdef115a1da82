"""What the `peers` view promises: names, types, words. The expressions stand in `peers`."""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

PEERS = ViewSpec(
    name="peers",
    description="The account against others of its segment and plan on the same day.",
    owner="product-analytics",
    freshness_days=2,
    tables=(
        "accounts",
        "subscriptions",
        "usage_daily",
        "feature_usage",
        "support_tickets",
        "invoices",
        "engagements",
        "incidents",
    ),
    views=("usage", "adoption", "commercial", "profile", "health"),
    # What ranks levels rather than change gained nothing for models on data of others (validation log loss of churn
    # and upsell), and is there for people and rules.
    features=(
        Feature(
            "usage_per_seat_28d_peer_percentile",
            "Float64",
            "Share of the accounts of the same segment and plan that use the product less per seat (active users, "
            "else log-ins, else events, of the last 28 days).",
            "peer_usage",
            "Uses the product more than {percent} % of its peers",
            role="offline",
        ),
        Feature(
            "usage_28d_vs_baseline_peer_percentile",
            "Float64",
            "Share of the accounts of the same segment and plan whose usage of the last 28 days did worse against "
            "their own 90-day baseline.",
            "peer_usage",
            "Usage developed better than that of {percent} % of its peers",
        ),
        Feature(
            "usage_28d_vs_baseline_seasonal_ratio",
            "Float64",
            "Usage of the last 28 days against the account's own 90-day baseline, divided by the median of that over "
            "all accounts on the same day: what season and calendar do to everybody is taken out.",
            "seasonal_usage",
            "Usage {change} against its own baseline once the season is taken out",
        ),
        Feature(
            "features_used_28d_peer_percentile",
            "Float64",
            "Share of the accounts of the same segment and plan that used fewer different features in the last 28 "
            "days.",
            "peer_adoption",
            "Uses more features than {percent} % of its peers",
            role="offline",
        ),
        Feature(
            "health_score_peer_percentile",
            "Float64",
            "Share of the accounts of the same segment and plan with a lower health score.",
            "peer_health",
            "Is healthier than {percent} % of its peers",
            role="offline",
        ),
        Feature(
            "mrr_per_seat_vs_peers_ratio",
            "Float64",
            "Monthly recurring revenue per seat divided by the median of the accounts of the same segment and plan.",
            "price",
            "The price per seat is {percent} % of what its peers pay",
            role="offline",
        ),
    ),
)
