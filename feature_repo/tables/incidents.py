"""`incidents`: outages and degradations of the product, for features and for holding back."""

from feature_repo.tables.contract import Column, Kind, Table

INCIDENTS = Table(
    name="incidents",
    row="one incident",
    key=("incident_id",),
    time="started_at",
    feeds=("policy", "profile"),
    not_before=(("ended_at", "started_at"),),
    columns=(
        Column("incident_id", Kind.STRING, "The incident's id."),
        Column("started_at", Kind.TIME, "When it began."),
        Column("ended_at", Kind.TIME, "When it was over; null while it goes on.", nullable=True),
        Column("scope", Kind.STRING, "Whom it affects.", values=("all", "region", "account")),
        Column("scope_id", Kind.STRING, "The region or the account id; null for `all`.", nullable=True),
        Column(
            "severity", Kind.STRING, "How bad it is.", nullable=True, values=("minor", "major", "critical")
        ),
    ),
)
