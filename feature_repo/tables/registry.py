"""All raw tables by name, in the order in which people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_repo.tables.accounts import ACCOUNTS
from feature_repo.tables.engagements import ENGAGEMENTS
from feature_repo.tables.external_signals import EXTERNAL_SIGNALS
from feature_repo.tables.feature_usage import FEATURE_USAGE
from feature_repo.tables.incidents import INCIDENTS
from feature_repo.tables.invoices import INVOICES
from feature_repo.tables.procurement_updates import PROCUREMENT_UPDATES
from feature_repo.tables.subscriptions import SUBSCRIPTIONS
from feature_repo.tables.support_tickets import SUPPORT_TICKETS
from feature_repo.tables.treatments import TREATMENTS
from feature_repo.tables.usage_daily import USAGE_DAILY

if TYPE_CHECKING:
    from feature_repo.tables.contract import Table

TABLES: tuple[Table, ...] = (
    ACCOUNTS,
    SUBSCRIPTIONS,
    USAGE_DAILY,
    FEATURE_USAGE,
    SUPPORT_TICKETS,
    INVOICES,
    ENGAGEMENTS,
    INCIDENTS,
    TREATMENTS,
    PROCUREMENT_UPDATES,
    EXTERNAL_SIGNALS,
)

USAGE_TABLES = ("usage_daily", "feature_usage")
"""At least one of these must be there."""

_BY_NAME = {entry.name: entry for entry in TABLES}


def table(name: str) -> Table:
    """Return the contract of the raw table *name*.

    Raises:
        KeyError: There is no such table in the contract.
    """
    return _BY_NAME[name]
