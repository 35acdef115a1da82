"""Amounts of money in minor units, so that nothing is lost to rounding between systems."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

_WITHOUT: Final = frozenset(
    {
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
        "XOF", "XPF",
    }
)  # fmt: skip
_WITH_THREE: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
MOST_MINOR: Final = 10**15


def minor_digits(currency: str) -> int:
    """Return how many decimals *currency* has, by ISO 4217 (list of 2024)."""
    return 0 if currency in _WITHOUT else 3 if currency in _WITH_THREE else 2


class Money(BaseModel):
    """An amount in the smallest unit of a currency: 1999 and `USD` are 19.99 US dollars."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    amount_minor: int = Field(
        ge=-MOST_MINOR, le=MOST_MINOR, description="In the currency's smallest unit, such as cents."
    )
    currency: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217 code.")

    @classmethod
    def of(cls, amount: float, currency: str) -> Self:
        """Return *amount* of the currency's main unit, rounded half to even."""
        places = Decimal(1).scaleb(-minor_digits(currency))
        rounded = Decimal(repr(amount)).quantize(places, rounding=ROUND_HALF_EVEN)
        return cls(amount_minor=int(rounded.scaleb(minor_digits(currency))), currency=currency)

    @property
    def amount(self) -> float:
        """The amount in the currency's main unit."""
        return float(Decimal(self.amount_minor).scaleb(-minor_digits(self.currency)))

    def __str__(self) -> str:
        return f"{Decimal(self.amount_minor).scaleb(-minor_digits(self.currency))} {self.currency}"
