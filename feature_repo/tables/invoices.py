"""`invoices`: payment behaviour."""

from feature_repo.tables.contract import Column, Kind, Table

INVOICES = Table(
    name="invoices",
    row="one invoice",
    key=("invoice_id",),
    time="issued_at",
    feeds=("commercial",),
    not_before=(("due_at", "issued_at"),),
    columns=(
        Column("invoice_id", Kind.STRING, "The invoice's id."),
        Column("account_id", Kind.STRING, "The account that owes."),
        Column("issued_at", Kind.TIME, "When it was issued; the row is known from then on."),
        Column("due_at", Kind.TIME, "When it is due.", may_be_future=True),
        Column("paid_at", Kind.TIME, "When it was paid; null while it is not.", nullable=True),
        Column("amount", Kind.FLOAT, "Amount.", minimum=0, unit="`currency`"),
        Column("currency", Kind.STRING, "ISO 4217 code; `USD` when absent.", nullable=True),
        Column("disputed_at", Kind.TIME, "When the customer disputed it, if they did.", nullable=True),
        Column(
            "attempts",
            Kind.INT,
            "Payment attempts made until it was paid or given up.",
            nullable=True,
            minimum=0,
        ),
    ),
)
