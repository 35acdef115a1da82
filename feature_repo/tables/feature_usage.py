"""`feature_usage`: which features of the product an account used, and with how many errors."""

from feature_repo.tables.contract import Column, Kind, Table

FEATURE_USAGE = Table(
    name="feature_usage",
    row="one account, day and product feature",
    key=("account_id", "day", "feature_key"),
    time="day",
    feeds=("adoption",),
    columns=(
        Column("account_id", Kind.STRING, "The account."),
        Column("day", Kind.DATE, "The UTC day."),
        Column("feature_key", Kind.STRING, "The product feature."),
        Column("count", Kind.INT, "How often it was used.", minimum=0),
        Column("errors", Kind.INT, "How many of those ended in an error.", nullable=True, minimum=0),
        Column(
            "feature_tier",
            Kind.STRING,
            "Whether the feature is core or advanced.",
            nullable=True,
            values=("core", "advanced"),
        ),
    ),
)
