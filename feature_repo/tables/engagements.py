"""`engagements`: touches between the vendor's people and the customer's."""

from feature_repo.tables.contract import Column, Kind, Table

ENGAGEMENTS = Table(
    name="engagements",
    row="one touch: a mail, a call, a training, a survey answer, a sponsor contact",
    key=("engagement_id",),
    time="occurred_at",
    feeds=("engagement",),
    columns=(
        Column("engagement_id", Kind.STRING, "The touch's id."),
        Column("account_id", Kind.STRING, "The account."),
        Column("occurred_at", Kind.TIME, "When it happened."),
        Column(
            "kind",
            Kind.STRING,
            "What it was.",
            values=(
                "email_sent",
                "email_opened",
                "email_clicked",
                "call",
                "meeting",
                "training_completed",
                "nps",
                "sponsor_contact",
                "unsubscribed",
            ),
        ),
        Column(
            "score",
            Kind.FLOAT,
            "The answer of an `nps` touch, 0 to 10.",
            nullable=True,
            minimum=0,
            maximum=10,
        ),
        Column("person_id", Kind.STRING, "A pseudonymous id of the customer's person.", nullable=True),
    ),
)
