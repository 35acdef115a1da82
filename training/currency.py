"""Tells in which currency the money of a data folder is: nothing is converted, so there must be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feature_repo.tables import reading
from training.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

UNTOLD: Final = "USD"
"""What the raw-table contract says of amounts without a currency."""


def data_currency(folder: Path) -> str:
    """Return the ISO 4217 code of all MRR in the data folder *folder*.

    Raises:
        DatasetError: Subscriptions are in several currencies, or in something that is no ISO 4217 code.
        DataFolderError: The table can't be read.
    """
    subscriptions = reading.scan(reading.connect(), folder, "subscriptions")
    if subscriptions is None:
        return UNTOLD
    told = subscriptions.currency.strip().upper().nullif("").fill_null(UNTOLD)
    rows = told.value_counts().to_pyarrow().to_pydict()
    names, counts = (list(values) for values in rows.values())
    found = dict(sorted(zip(names, counts, strict=True), key=lambda one: (-one[1], one[0])))
    if len(found) > 1:
        shown = ", ".join(f"{name} ({count:,} rows)" for name, count in found.items())
        raise DatasetError(
            f"{folder}: the MRR of subscriptions is in several currencies: {shown}. Amounts are compared as they "
            f"stand; bring them into one currency (a row without one is in {UNTOLD})"
        )
    currency = str(next(iter(found), UNTOLD))
    if not (len(currency) == len(UNTOLD) and currency.isascii() and currency.isalpha()):
        raise DatasetError(
            f"{folder}: subscriptions have the currency {currency!r}; it should be an ISO 4217 code"
        )
    return currency
