"""`accounts`: who the customers are and what they consented to."""

from feature_repo.tables.contract import Column, Kind, Table

ACCOUNTS = Table(
    name="accounts",
    row="one customer account",
    key=("account_id",),
    required=True,
    time="created_at",
    feeds=("profile", "slices", "policy"),
    columns=(
        Column(
            "account_id", Kind.STRING, "The account's id: any text up to 256 bytes, compared byte for byte."
        ),
        Column("created_at", Kind.TIME, "When the account was created."),
        Column("account_name", Kind.STRING, "A name for people to read.", nullable=True),
        Column(
            "segment",
            Kind.STRING,
            "Market segment, such as `smb`, `mid_market`, `enterprise`.",
            nullable=True,
        ),
        Column("industry", Kind.STRING, "Industry.", nullable=True),
        Column(
            "region",
            Kind.STRING,
            "Sales or legal region; policy may pin data and offers to it.",
            nullable=True,
        ),
        Column("timezone", Kind.STRING, "IANA time zone name, such as `Europe/Berlin`.", nullable=True),
        Column("locale", Kind.STRING, "BCP 47 language tag, such as `en-GB`.", nullable=True),
        Column("employees", Kind.INT, "Size of the customer's company in people.", nullable=True, minimum=0),
        Column("acquisition_channel", Kind.STRING, "How the account was won.", nullable=True),
        Column(
            "onboarded_at", Kind.TIME, "When onboarding was completed; null while it is not.", nullable=True
        ),
        Column("consent_email", Kind.BOOL, "May be written to by e-mail.", nullable=True),
        Column("consent_in_app", Kind.BOOL, "May be shown hints in the product.", nullable=True),
        Column("consent_phone", Kind.BOOL, "May be called.", nullable=True),
        Column(
            "consent_training", Kind.BOOL, "The account's data may be used to train models.", nullable=True
        ),
        Column(
            "preferred_channel",
            Kind.STRING,
            "The channel that the account prefers.",
            nullable=True,
            values=("email", "in_app", "phone", "none"),
        ),
        Column(
            "quiet_hours_start",
            Kind.INT,
            "First quiet hour of the day, in the account's time zone.",
            nullable=True,
            minimum=0,
            maximum=23,
            unit="hour",
        ),
        Column(
            "quiet_hours_end",
            Kind.INT,
            "First hour after the quiet hours, in the account's time zone.",
            nullable=True,
            minimum=0,
            maximum=23,
            unit="hour",
        ),
    ),
)
