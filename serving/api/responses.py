"""The form of the answers, for the OpenAPI document and for BentoML's typed methods.

The hot path sends dictionaries; a test holds them against these.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class Signal(_Answer):
    """One feature that speaks for or against leaving."""

    signal: str = Field(description="The group of features that speak of the same thing.")
    feature: str
    value: float | int | str | bool | None
    contribution: float = Field(
        description="Its part of the churn probability, in log-odds; positive raises it."
    )
    text: str = Field(description="The same in plain words.")


class Signals(_Answer):
    """The strongest signals in each direction, strongest first, and how they were told."""

    method: Literal["leaf_averaged_treeshap", "exact_treeshap"] = Field(
        description="How contributions were made: TreeSHAP averaged over the accounts of a tree's leaf, or "
        "exactly of this account, as `explain=exact` asks for."
    )
    raising: list[Signal]
    lowering: list[Signal]


class ExactSignals(Signals):
    """The same from the account's own contributions, which are all told."""

    contributions: dict[str, float] = Field(
        description="Every model feature's part of the scored horizon's churn probability, in log-odds."
    )


class ViewEvidence(_Answer):
    """The age of one feature view's row."""

    as_of: str | None = Field(description="Time up to which the row knows the account.")
    age_seconds: float | None
    limit_seconds: float = Field(description="Age past which it is stale.")


class Evidence(_Answer):
    """What an answer rests on."""

    status: Literal["full", "thin", "stale"]
    views: dict[str, ViewEvidence]
    missing: list[str] = Field(description="Views that hold nothing of the account.")
    clock: Literal["demonstration"] | None = Field(
        default=None, description="Present when the service's time is not the machine's."
    )


class ScoreAnswer(_Answer):
    """Churn and upsell of one account."""

    account_id: str
    churn_risk_score: int = Field(ge=0, le=100, description="0 to 100; higher is riskier.")
    churn_risk_tier: str
    churn_probability: dict[str, float] = Field(description="Probability of leaving within each horizon.")
    upsell_probability: dict[str, float] = Field(description="Probability of expanding within each horizon.")
    signals: Signals
    evidence: Evidence
    model: str
    feature_contract: str


class ExplainedScoreAnswer(ScoreAnswer):
    """Churn and upsell of one account with exact reasons, as `explain=exact` asks for."""

    signals: ExactSignals


class ProblemDocument(_Answer):
    """A problem document of RFC 9457."""

    type: str = Field(description="`urn:keepgrow:problem:` and the kind of problem.")
    title: str
    status: int
    detail: str
    request_id: str | None = None
    account_id: str | None = None
    errors: list[dict[str, str]] | None = Field(
        default=None, description="Each fault of the body: `pointer` (RFC 6901) and `detail`."
    )


class UnknownAccountProblem(_Answer):
    """The problem of one account of which nothing is known."""

    type: str
    title: str
    status: int
    detail: str
    account_id: str


class ScoresAnswer(_Answer):
    """Scores of several accounts, in the order asked for, and a problem for each that is unknown."""

    scores: list[ScoreAnswer]
    errors: list[UnknownAccountProblem]


class ExpectedValueAnswer(_Answer):
    """Expected incremental value of an action over a year, net of its cost."""

    amount: float
    currency: str
    interval_90: tuple[float, float]
    lift_retain: float = Field(description="Believed absolute rise of the probability of staying.")
    lift_expand: float = Field(description="Believed absolute rise of the probability of expanding.")
    extra_mrr: float


class ActionAnswer(_Answer):
    """An action that is proposed; further members depend on its type."""

    type: str
    key: str
    title: str
    playbook: str | None
    channel: str
    cost: float
    parameters: dict[str, Any]


class ReasonAnswer(_Answer):
    """Why this action, or why none."""

    code: str
    text: str


class AlternativeAnswer(_Answer):
    """An action that stood, but is worth less."""

    action: ActionAnswer
    reason: ReasonAnswer
    expected_value: ExpectedValueAnswer
    value_per_cost: float | None


class RefusedAnswer(_Answer):
    """An action that fell."""

    action: str
    stage: str
    rule: str
    text: str
    policy_rule: str | None = Field(default=None, description="Id of the policy's rule, if one stopped it.")
    safer_alternative: str | None = Field(
        default=None, description="Key of the action to take instead, if the rule points to one that stands."
    )


class DecisionAnswer(_Answer):
    """The one action worth taking now, or the reason for none, and what became of every other."""

    decision_id: str
    account_id: str
    action: ActionAnswer | None
    reason: ReasonAnswer
    basis: Literal["prior"]
    expected_value: ExpectedValueAnswer | None
    alternatives: list[AlternativeAnswer]
    refused: list[RefusedAnswer]
    decided_at: str
    valid_until: str
    evidence: Evidence
    model: str
    feature_contract: str
    policy: str
    catalogue: str


class MoneyAnswer(_Answer):
    """An amount in a currency; null where it is not known."""

    amount: float | None
    currency: str = Field(description="ISO 4217 code of the catalogue.")


class AccountCard(ScoreAnswer):
    """All that the account card shows."""

    profile: dict[str, float | int | str | bool | None]
    revenue_at_risk: MoneyAnswer = Field(
        description="Probability of leaving within the scored horizon, times a year of MRR."
    )
    intervention_window: Literal["early", "timely", "reactive", "emergency"] = Field(
        description="How long there is left to act."
    )
    next_best_action: DecisionAnswer


class HoldoutAnswer(_Answer):
    """What an account is held out of."""

    account_id: str
    held_out: bool = Field(description="Whether it gets no action at all.")
    programmes: list[str] = Field(description="Programmes whose actions it does not get.")
    policy: str


class ModelAnswer(_Answer):
    """One bundle that is served."""

    model: str
    feature_contract: str
    feature_service: str
    catalogue: str
    heads: list[dict[str, Any]]
    score_horizon_days: int
    tiers: list[dict[str, Any]]
    provenance: dict[str, Any]
    card: str | None


class ModelsAnswer(_Answer):
    """The bundles that are served."""

    models: list[ModelAnswer]


class StatusAnswer(_Answer):
    """Alive or ready."""

    status: str
