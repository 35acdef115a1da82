"""`treatments`: actions that were taken or held out, with the chance of it, and what came of them."""

from feature_repo.tables.contract import Column, Kind, Table

TREATMENTS = Table(
    name="treatments",
    row="one action that was taken, or held out by chance",
    key=("treatment_id",),
    time="treated_at",
    feeds=("uplift",),
    not_before=(("outcome_at", "treated_at"),),
    columns=(
        Column("treatment_id", Kind.STRING, "The treatment's id."),
        Column("account_id", Kind.STRING, "The account."),
        Column("treated_at", Kind.TIME, "When the arm was drawn."),
        Column("action", Kind.STRING, "The action's type."),
        Column("arm", Kind.STRING, "Taken or held out.", values=("treated", "held_out")),
        Column(
            "propensity",
            Kind.FLOAT,
            "Probability of the arm that was drawn, above 0 and at most 1.",
            minimum=1e-6,
            maximum=1,
        ),
        Column("outcome_at", Kind.TIME, "When the outcome was observed.", nullable=True),
        Column(
            "outcome_retained",
            Kind.BOOL,
            "Whether the account was paying then: still, or again if it had left before the draw.",
            nullable=True,
        ),
        Column("outcome_expanded", Kind.BOOL, "Whether the account had expanded by then.", nullable=True),
        Column("outcome_extra_mrr", Kind.FLOAT, "Change of MRR until then.", nullable=True),
    ),
)
