"""The one entity of this project: a customer account."""

from __future__ import annotations

from feast import Entity, ValueType

account = Entity(
    name="account",
    join_keys=["account_id"],
    value_type=ValueType.STRING,
    description="A customer account of the SaaS product; ids are opaque, and case counts.",
    tags={"project": "keepgrow"},
    owner="customer-data@keepgrow.example",
)
