"""The form of the account card, as `GET /v1/accounts/{account_id}` answers it; see `responses`."""

from typing import Literal

from pydantic import Field

from serving.api.answer import Answer
from serving.api.responses import DecisionAnswer, ScoreAnswer
from serving.api.value_responses import Interval


class MoneyAnswer(Answer):
    """An amount in a currency; null where it is not known."""

    amount: float | None
    currency: str = Field(description="ISO 4217 code of the catalogue.")


class RiskMoneyAnswer(MoneyAnswer):
    """An amount with what is known of its uncertainty."""

    interval_90: Interval | None = Field(
        description="By the ends of the probability's interval; null if that or the amount is not known."
    )


class TrajectoryAnswer(Answer):
    """Where the account's health goes."""

    days: int = Field(description="Within how many days.")
    most_likely: str
    probability: dict[str, float] = Field(
        description="Of `improving`, `stable` and `declining`; they sum to 1."
    )


class TimeToCloseAnswer(Answer):
    """When the account expands, if it does."""

    expected_days: float = Field(description="Mean number of days from now, given that it expands in time.")
    within_days: int = Field(description="What counts as in time.")


class ExpansionDriver(Answer):
    """What drives the expansion of an account: without it the probability falls furthest."""

    signal: str
    feature: str
    value: float | int | str | bool | None
    text: str
    is_limit: bool = Field(
        description="Whether it is how much of a limit (seats, API calls, storage) is in use; such a signal, if it "
        "drives at all, goes before any other."
    )


class AccountCard(ScoreAnswer):
    """All that the account card shows; what the bundle has no head for is null."""

    expansion_driver: ExpansionDriver | None = Field(
        description="Null unless `expansion_ready`, and where no single signal drives it."
    )
    profile: dict[str, float | int | str | bool | None]
    upsell_probability_long: dict[str, float] | None = Field(
        description="Probability of expanding within the long horizon, a year (`365d`)."
    )
    health_trajectory: TrajectoryAnswer | None
    intervention_window: Literal["early", "timely", "reactive", "emergency"] = Field(
        description="How long there is left to act: by the risk within 30 days and the last horizon, the chance that "
        "health declines, and the days until the term ends."
    )
    revenue_at_risk: RiskMoneyAnswer = Field(
        description="Probability of leaving within the scored horizon, times a year of MRR."
    )
    extra_mrr_if_expands: MoneyAnswer = Field(
        description="Expected extra MRR, given that the account expands."
    )
    expected_incremental_revenue: MoneyAnswer = Field(
        description="Probability of expanding within the scored horizon, times a year of that extra MRR."
    )
    time_to_close: TimeToCloseAnswer | None = Field(description="Null if expanding is out of the question.")
    next_best_action: DecisionAnswer
