"""`external_signals`: what happens outside the product and its customers, as somebody recorded it."""

from feature_repo.tables.contract import Column, Kind, Table

KINDS = ("market", "competitor", "regulation", "economy")
"""What a signal may speak of."""

ACCOUNT_COLUMNS = ("segment", "industry", "region")
"""Columns of `accounts` whose values a signal may concern."""

EXTERNAL_SIGNALS = Table(
    name="external_signals",
    row="one reading of an outside influence: a market index, a competitor's move, a law, an economic figure",
    key=("signal_id",),
    time="known_at",
    feeds=("external",),
    opt_in=True,
    columns=(
        Column("signal_id", Kind.STRING, "The reading's id; of two of one time the larger id counts."),
        Column(
            "known_at",
            Kind.TIME,
            "When you had it on record; the row is known from then on, whatever day it speaks of.",
        ),
        Column("kind", Kind.STRING, "What it speaks of.", values=KINDS),
        Column(
            "scope",
            Kind.STRING,
            "Whom it concerns.",
            values=("all", *ACCOUNT_COLUMNS, "account"),
        ),
        Column(
            "scope_id",
            Kind.STRING,
            "The segment, industry or region as in `accounts`, or the account id; null for `all`.",
            nullable=True,
        ),
        Column(
            "level",
            Kind.FLOAT,
            "How it bears on keeping and growing these accounts, from -1 (most adverse) to 1 (most favourable).",
            minimum=-1,
            maximum=1,
        ),
        Column(
            "effective_on",
            Kind.DATE,
            "The day that it speaks of, for people; no feature is dated by it.",
            nullable=True,
            may_be_future=True,
        ),
        Column("source", Kind.STRING, "Where it comes from, for people.", nullable=True),
    ),
)
