"""The form of what an answer rests on, and of what it is compared with; see `responses`."""

from typing import Literal

from pydantic import Field

from serving.api.answer import Answer


class ViewEvidence(Answer):
    """The age of one feature view's row."""

    as_of: str | None = Field(description="Time up to which the row knows the account.")
    age_seconds: float | None
    limit_seconds: float = Field(description="Age past which it is stale.")


class FailedCheck(Answer):
    """A check by rule that contradicts what the models say of the account."""

    id: str = Field(description="Of the check, as the file of checks has it.")
    concerns: Literal["churn", "upsell", "amount"] = Field(description="Which prediction is in doubt.")
    effect: Literal["thin", "note"] = Field(
        description="`thin`: the evidence is thin by it, so decisions abstain; `note`: it is shown."
    )
    text: str = Field(description="What is contradicted, in a sentence.")


class Evidence(Answer):
    """What an answer rests on."""

    status: Literal["full", "thin", "stale"]
    reasons: list[
        Literal["stale_view", "missing_view", "new_account", "unknown_age", "unlike_training", "failed_check"]
    ] = Field(
        description="Why it is not `full`: a view is older than its limit, a view is missing, the account is "
        "younger than 28 days, its age is not known, it is unlike those that the models learnt from, or a check of "
        "`failed_checks` makes it thin."
    )
    views: dict[str, ViewEvidence]
    missing: list[str] = Field(
        description="Views that hold nothing of the account: no row, or one that is null throughout where the models "
        "expect something."
    )
    failed_checks: list[FailedCheck] = Field(
        default=[], description="Checks by rule that the predictions fail; the models may be wrong here."
    )
    clock: Literal["demonstration"] | None = Field(
        default=None, description="Present when the service's time is not the machine's."
    )


class EarlierScoreAnswer(Answer):
    """What the same model says of the account by its features of some 30 days ago."""

    as_of: str = Field(description="The time of those features.")
    days: int = Field(ge=30, le=37, description="How many days ago that is.")
    churn_risk_score: int = Field(ge=0, le=100)
    churn_risk_tier: str
    churn_probability: dict[str, float] = Field(description="By the scored horizon.")


class NoTrendReason(Answer):
    """Why no change can be told."""

    code: Literal["no_earlier_score", "another_model", "not_of_then"]
    text: str


class TrendAnswer(Answer):
    """How the risk has changed; null with a reason where that can't be told."""

    churn_risk_score_change: int | None = Field(description="In points; positive if the risk has risen.")
    churn_probability_change: float | None = Field(description="The same of the probability.")
    since: EarlierScoreAnswer | None
    reason: NoTrendReason | None = Field(description="Null where a change is told.")
