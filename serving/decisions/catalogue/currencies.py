"""Amounts in the smallest unit of a currency: what two prices must agree in to be the same price."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final

_WITHOUT: Final = frozenset(
    {
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
        "XOF", "XPF",
    }
)  # fmt: skip
_WITH_THREE: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def minor_digits(currency: str) -> int:
    """Return how many decimals *currency* has, by ISO 4217 (list of 2024)."""
    return 0 if currency in _WITHOUT else 3 if currency in _WITH_THREE else 2


@lru_cache(maxsize=8192)
def to_minor(amount: float, currency: str) -> int:
    """Return *amount* of the currency's main unit in its smallest one, rounded half to even."""
    digits = minor_digits(currency)
    rounded = Decimal(repr(amount)).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return int(rounded.scaleb(digits))


@lru_cache(maxsize=8192)
def from_minor(amount: int, currency: str) -> float:
    """Return *amount* of the currency's smallest unit in its main one."""
    return float(Decimal(amount).scaleb(-minor_digits(currency)))
