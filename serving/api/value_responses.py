"""The form of what an action is worth, as answers tell it; see `responses`."""

from typing import Literal

from pydantic import Field

from serving.api.answer import Answer, is_none

Interval = tuple[float, float]
"""Low and high end."""
Basis = Literal["uplift", "prior"]


class MarginAnswer(Answer):
    """The margin of what an action brings."""

    ratio: float = Field(description="Gross margin of revenue.")
    amount: float = Field(description="Expected incremental margin in a year, before cost and discount.")


class LiftPerCostAnswer(Answer):
    """Rise of probability for each unit of currency that an action costs."""

    retain: float
    expand: float
    back: float | None = Field(
        default=None,
        alias="return",
        exclude_if=is_none,
        description="Of coming back; only of an action for accounts that have left.",
    )


class ExpectedValueAnswer(Answer):
    """Expected incremental value of an action over a year, net of its cost."""

    amount: float
    currency: str
    interval_90: Interval
    basis: Basis = Field(
        description="`uplift` if the lifts that count were learnt from draws of the action, `prior` if they are "
        "declared in the catalogue."
    )
    lift_retain: float = Field(description="Believed absolute rise of the probability of staying.")
    lift_retain_interval_90: Interval
    lift_expand: float = Field(description="Believed absolute rise of the probability of expanding.")
    lift_expand_interval_90: Interval
    lift_return: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="Believed absolute rise of the probability of coming back; only of actions for accounts that have "
        "left, as the two that follow.",
    )
    lift_return_interval_90: Interval | None = Field(default=None, exclude_if=is_none)
    mrr_back: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="MRR with which the account left, and that would come back.",
    )
    lift_per_cost: LiftPerCostAnswer | None = Field(description="Null if the action costs nothing.")
    value_per_cost: float | None = Field(
        description="Expected incremental margin for each unit of cost; null if the action costs nothing."
    )
    extra_mrr: float = Field(description="MRR that an expansion adds.")
    margin: MarginAnswer
    cost: float
    expected_discount: float = Field(description="What the action is expected to give away in a year.")
    levers: dict[str, float] = Field(
        description="The business's own weights, by name; no part of the amount."
    )
    ranked_by: float = Field(description="The amount times all levers.")
