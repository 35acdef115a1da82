"""`procurement_updates`: how an account buys, as it became known: stages, approvals, budget years."""

from feature_repo.tables.contract import Column, Kind, Table

STAGES_UNDER_WAY = (
    "need_identified",
    "evaluation",
    "legal_and_security_review",
    "negotiation",
    "awaiting_order",
)
"""Stages of a purchase in their order."""

STAGES = (*STAGES_UNDER_WAY, "ordered", "abandoned")
"""All stages; the last two end a purchase."""

PROCUREMENT_UPDATES = Table(
    name="procurement_updates",
    row="one thing that became known about how the account buys: a stage, an approval, a budget",
    key=("update_id",),
    time="known_at",
    feeds=("procurement",),
    opt_in=True,
    columns=(
        Column("update_id", Kind.STRING, "The update's id; of two of one time the larger id counts."),
        Column("account_id", Kind.STRING, "The account that buys."),
        Column("known_at", Kind.TIME, "When it was recorded; the row is known from then on."),
        Column(
            "stage",
            Kind.STRING,
            "The stage that the purchase has reached; null if the update says nothing of it.",
            nullable=True,
            values=STAGES,
        ),
        Column(
            "approval",
            Kind.STRING,
            "Where the approval of the spending stands; null if the update says nothing of it.",
            nullable=True,
            values=("pending", "granted", "refused"),
        ),
        Column(
            "budget_starts_on",
            Kind.DATE,
            "First day of a budget period of the account, past or to come; null if the update says nothing of it.",
            nullable=True,
            may_be_future=True,
        ),
        Column(
            "budget_months",
            Kind.INT,
            "Months after which the next budget period begins; 12 when absent.",
            nullable=True,
            minimum=1,
            maximum=60,
        ),
    ),
)
