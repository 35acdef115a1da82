"""What else the graph gives: the long horizon, the amount, the trajectory, and who comes back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serving.bundle.manifest.heads import Head
from serving.bundle.manifest.value import Value


class LongHorizon(Value):
    """An output of shape (accounts, 1): the probability of a head's event within `days`, beyond its horizons."""

    head: Literal["upsell"] = "upsell"
    output: str = "upsell_long"
    days: int = Field(gt=0)


class AmountOutput(Value):
    """An output of shape (accounts, 1): expected extra MRR if the account expands, as a share of its MRR."""

    output: str = "extra_mrr_ratio"


class TrajectoryOutput(Value):
    """An output of shape (accounts, classes): probabilities of where health goes within `days`; rows sum to 1.

    It may read policy features that no other output reads: `inputs`, float64 of shape (accounts, inputs), missing is
    NaN, given as the optional input `input_name` of the graph. Without that input all of them are missing.
    """

    output: str = "trajectory"
    classes: tuple[str, ...] = ("improving", "stable", "declining")
    days: int = Field(gt=0)
    input_name: str | None = None
    inputs: tuple[str, ...] = ()


class Winback(Value):
    """An output of the head `winback`: the probability that an account that has left comes back by each horizon.

    The head may name ends of its intervals: the graph gives them if it is asked for them as for the probability.

    It speaks of accounts whose feature `days_since_end` lies from `after_days` to `within_days`, and of no others.
    """

    head: Head
    after_days: int = Field(ge=0, description="The grace days.")
    within_days: int = Field(gt=0)
