"""`subscriptions`: what was paid for, from when, until when; labels come from it."""

from feature_repo.tables.contract import Column, Kind, Table

SUBSCRIPTIONS = Table(
    name="subscriptions",
    row="one subscription period: a stretch with one plan, one number of seats and one price",
    key=("subscription_id",),
    required=True,
    time="started_at",
    feeds=("labels", "commercial"),
    not_before=(("ended_at", "started_at"), ("term_end_at", "started_at")),
    columns=(
        Column("subscription_id", Kind.STRING, "The period's id."),
        Column("account_id", Kind.STRING, "The account that pays."),
        Column("plan", Kind.STRING, "The plan's key in the catalogue."),
        Column("seats", Kind.INT, "Seats paid for.", minimum=0),
        Column(
            "mrr",
            Kind.FLOAT,
            "Monthly recurring revenue of the period, net of discounts.",
            minimum=0,
            unit="`currency`",
        ),
        Column("currency", Kind.STRING, "ISO 4217 code; `USD` when absent.", nullable=True),
        Column("started_at", Kind.TIME, "When the period began; the row is known from then on."),
        Column(
            "term_end_at",
            Kind.TIME,
            "When the term ends by contract, known from the start; null if open-ended.",
            nullable=True,
            may_be_future=True,
        ),
        Column(
            "ended_at",
            Kind.TIME,
            "When the period did end; null while it runs.",
            nullable=True,
            may_be_future=True,
        ),
        Column(
            "end_reason",
            Kind.STRING,
            "Why it ended; known only once it has ended.",
            nullable=True,
            values=("voluntary", "nonpayment", "upgrade", "downgrade", "renewal"),
        ),
        Column("is_trial", Kind.BOOL, "Whether the period is an unpaid trial.", nullable=True),
        Column(
            "list_mrr",
            Kind.FLOAT,
            "Monthly list price before discounts.",
            nullable=True,
            minimum=0,
            unit="`currency`",
        ),
        Column(
            "discount_ratio",
            Kind.FLOAT,
            "Discount on the list price, 0 to 1.",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column("bill_period_months", Kind.INT, "Months billed at a time.", nullable=True, minimum=1),
        Column("auto_renew", Kind.BOOL, "Whether the term renews by itself.", nullable=True),
        Column(
            "api_calls_limit_per_month",
            Kind.FLOAT,
            "API calls included in a month; null if unlimited.",
            nullable=True,
            minimum=0,
        ),
        Column(
            "storage_limit_gb", Kind.FLOAT, "Storage included; null if unlimited.", nullable=True, minimum=0
        ),
        Column(
            "features_available",
            Kind.INT,
            "Number of product features that the plan includes.",
            nullable=True,
            minimum=0,
        ),
    ),
)
