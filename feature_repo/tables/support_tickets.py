"""`support_tickets`: volume, pace and mood of support."""

from feature_repo.tables.contract import Column, Kind, Table

SUPPORT_TICKETS = Table(
    name="support_tickets",
    row="one support ticket",
    key=("ticket_id",),
    time="opened_at",
    feeds=("sentiment", "policy"),
    not_before=(("first_response_at", "opened_at"), ("closed_at", "opened_at")),
    columns=(
        Column("ticket_id", Kind.STRING, "The ticket's id."),
        Column("account_id", Kind.STRING, "The account that asked."),
        Column(
            "opened_at", Kind.TIME, "When it was opened; text, sentiment, priority and topic are known then."
        ),
        Column("first_response_at", Kind.TIME, "When somebody first answered.", nullable=True),
        Column(
            "closed_at", Kind.TIME, "When it was closed; CSAT and escalation are known then.", nullable=True
        ),
        Column(
            "priority", Kind.STRING, "Priority.", nullable=True, values=("low", "normal", "high", "urgent")
        ),
        Column("topic", Kind.STRING, "Topic.", nullable=True),
        Column("escalated", Kind.BOOL, "Whether it was escalated.", nullable=True),
        Column("is_complaint", Kind.BOOL, "Whether it is a complaint.", nullable=True),
        Column("csat", Kind.FLOAT, "Satisfaction from 1 (worst) to 5.", nullable=True, minimum=1, maximum=5),
        Column(
            "sentiment",
            Kind.FLOAT,
            "Mood from -1 (negative) to 1, if known; else it is scored from `text`.",
            nullable=True,
            minimum=-1,
            maximum=1,
        ),
        Column("text", Kind.STRING, "The first message.", nullable=True),
    ),
)
