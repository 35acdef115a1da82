"""Amounts of money in minor units, so that nothing is lost to rounding between systems."""

from decimal import Decimal
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

from serving.decisions.catalogue.currencies import from_minor, minor_digits, to_minor

__all__ = ["MOST_MINOR", "Money", "minor_digits"]

MOST_MINOR: Final = 10**15


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
        return cls(amount_minor=to_minor(amount, currency), currency=currency)

    @property
    def amount(self) -> float:
        """The amount in the currency's main unit."""
        return from_minor(self.amount_minor, self.currency)

    def __str__(self) -> str:
        return f"{Decimal(self.amount_minor).scaleb(-minor_digits(self.currency))} {self.currency}"
