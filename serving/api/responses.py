"""The form of the answers, for the OpenAPI document and for BentoML's typed methods.

The hot path sends dictionaries; a test holds them against these.
"""

from typing import Any, Literal

from pydantic import Field

from serving.api.answer import Answer, is_none
from serving.api.evidence_responses import Evidence, TrendAnswer
from serving.api.value_responses import Basis, ExpectedValueAnswer, Interval
from serving.api.winback_responses import WinbackAnswer
from serving.decisions.arms import Arm
from serving.decisions.autonomy import Level
from serving.ledger.outcomes import Event


class Signal(Answer):
    """One feature that speaks for or against leaving."""

    signal: str = Field(description="The group of features that speak of the same thing.")
    feature: str
    value: float | int | str | bool | None
    contribution: float = Field(
        description="Its part of the churn probability, in log-odds; positive raises it."
    )
    text: str = Field(description="The same in plain words.")


class SignalsBase(Answer):
    """What contributions start from: where every tree of the model says what it does on average over its training."""

    log_odds: float
    probability: float = Field(ge=0, le=1, description="The same as the probability by the scored horizon.")


class Signals(Answer):
    """The strongest signals in each direction, strongest first, and how they were told.

    The base, all contributions and those of the others add up to the log-odds of the churn probability by the scored
    horizon, but for the rounding of what is shown.
    """

    method: Literal["leaf_averaged_treeshap", "exact_treeshap"] = Field(
        description="How contributions were made: TreeSHAP averaged over the accounts of a tree's leaf, or "
        "exactly of this account, as `explain=exact` asks for."
    )
    base: SignalsBase | None = Field(
        default=None, exclude_if=is_none, description="Not there if the bundle does not tell."
    )
    raising: list[Signal]
    lowering: list[Signal]
    others: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="What all signals that are not shown contribute together, in log-odds.",
    )


class ExactSignals(Signals):
    """The same from the account's own contributions, which are all told."""

    contributions: dict[str, float] = Field(
        description="Every model feature's part of the scored horizon's churn probability, in log-odds."
    )


class ScoreAnswer(Answer):
    """Churn and upsell of one account."""

    account_id: str
    churn_risk_score: int = Field(ge=0, le=100, description="0 to 100; higher is riskier.")
    churn_risk_tier: str
    churn_probability: dict[str, float] = Field(description="Probability of leaving within each horizon.")
    upsell_probability: dict[str, float] = Field(description="Probability of expanding within each horizon.")
    churn_interval_90: dict[str, Interval] | None = Field(
        default=None,
        exclude_if=is_none,
        description="Central 90 % interval of each churn probability. Of several accounts with "
        "`intervals=true` only; not there if the bundle has none.",
    )
    upsell_interval_90: dict[str, Interval] | None = Field(
        default=None, exclude_if=is_none, description="Likewise of each upsell probability."
    )
    signals: Signals
    evidence: Evidence
    expansion_ready: bool | None = Field(
        description="Whether the probability of expanding by the scored horizon is at or over the bundle's threshold, "
        "on full evidence; null if the bundle has no threshold for it. The account card says what drives it."
    )
    winback: WinbackAnswer | None = Field(
        description="Null unless the account has left: its paid coverage ended longer ago than the grace days, and no "
        "more than a year ago. Also null if the bundle does not tell."
    )
    trend: TrendAnswer | None = Field(
        default=None, exclude_if=is_none, description="With `trend=true` only, of one account."
    )
    model: str
    feature_contract: str


class ExplainedScoreAnswer(ScoreAnswer):
    """Churn and upsell of one account with exact reasons, as `explain=exact` asks for."""

    signals: ExactSignals


class ProblemDocument(Answer):
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


class UnknownAccountProblem(Answer):
    """The problem of one account of which nothing is known."""

    type: str
    title: str
    status: int
    detail: str
    account_id: str


class ScoresAnswer(Answer):
    """Scores of several accounts, in the order asked for, and a problem for each that is unknown."""

    scores: list[ScoreAnswer]
    errors: list[UnknownAccountProblem]


class ActionAnswer(Answer):
    """An action that is proposed; further members depend on its type."""

    type: str
    key: str
    title: str
    playbook: str | None
    channel: str
    cost: float
    parameters: dict[str, Any]
    mode: Literal["show", "draft"] = Field(
        description="`draft`: a budget is used up, so the action may be prepared and not shown."
    )
    drafted_by: list[str] = Field(description="Those budgets.")
    autonomy: Level = Field(description="How far the action may go without a person.")


class ReasonAnswer(Answer):
    """Why this action, or why none."""

    code: str
    text: str


class AlternativeAnswer(Answer):
    """An action that stood, but is worth less."""

    action: ActionAnswer
    reason: ReasonAnswer
    basis: Basis
    expected_value: ExpectedValueAnswer
    value_per_cost: float | None


class RefusedAnswer(Answer):
    """An action that fell."""

    action: str
    stage: str
    rule: str
    text: str
    policy_rule: str | None = Field(default=None, description="Id of the policy's rule, if one stopped it.")
    safer_alternative: str | None = Field(
        default=None, description="Key of the action to take instead, if the rule points to one that stands."
    )


class CapUseAnswer(Answer):
    """What an action uses of one cap."""

    cap: str
    key: str = Field(description="What it is counted under.")
    amount: int = Field(description="Actions, minutes, or money in minor units.")
    window_seconds: int


class ReservationAnswer(Answer):
    """What an action that customers see uses of caps."""

    id: str = Field(description="The decision that reserved it: an earlier one if that said the same.")
    uses: list[CapUseAnswer]
    given_back_at: str | None = Field(
        description="When it is given back, unless the outcome `shown` was reported."
    )


class DrawAnswer(Answer):
    """What chance had to do with a decision; by it effects are measured."""

    arm: Arm = Field(description="The account's arm: `full`, or a control arm.")
    held_out: list[str] = Field(description="What the account is held out of: `global`, or programmes.")
    propensity: float = Field(
        description="The chance of what came, over all draws of holdouts, arms and lots."
    )
    propensities: dict[str, float] = Field(
        description="The same of each action that the account could get, by key, and of `nothing`."
    )


class DecisionAnswer(Answer):
    """The one action worth taking now, or the reason for none, and what became of every other."""

    decision_id: str
    account_id: str
    action: ActionAnswer | None
    reason: ReasonAnswer
    basis: Basis = Field(
        description="What the action's value rests on; without an action, `uplift` if there were learnt effects to "
        "look at."
    )
    expected_value: ExpectedValueAnswer | None
    alternatives: list[AlternativeAnswer]
    refused: list[RefusedAnswer]
    reservation: ReservationAnswer | None
    draw: DrawAnswer | None
    decided_at: str
    valid_until: str
    evidence: Evidence
    model: str
    feature_contract: str
    policy: str
    catalogue: str


class HoldoutAnswer(Answer):
    """What an account is held out of."""

    account_id: str
    held_out: bool = Field(description="Whether it gets no action at all.")
    programmes: list[str] = Field(description="Programmes whose actions it does not get.")
    arm: Arm = Field(
        description="How the account is decided about, unless it is held out: `full` or a control arm."
    )
    policy: str


class OutcomeAnswer(Answer):
    """An outcome as the ledger holds it."""

    outcome_id: str
    decision_id: str
    account_id: str | None
    event: Event
    action: str | None = Field(description="Key of the action that it happened to.")
    at: str
    reason: str | None
    extra_mrr: float | None
    not_proposed_before: str | None = Field(
        description="After a rejection: until when the account is not proposed this action again."
    )
    received_at: str


class RecordPlace(Answer):
    """Where in the ledger's chain a record stands."""

    seq: int = Field(description="Its number, counted from 1 without gaps.")
    hash: str
    previous: str = Field(description="Hash of the record before it.")
    content_hash: str = Field(description="Salted hash of its content.")


class RecordedDecisionAnswer(Answer):
    """A past decision, what it was made from, and what came of it."""

    decision_id: str
    account_id: str | None
    decision: DecisionAnswer = Field(description="The answer as it was given.")
    frame: dict[str, Any] = Field(
        description="All that the decision looked at; fields at their defaults are left out."
    )
    outcomes: list[OutcomeAnswer] = Field(
        description="What came of it, in the order in which it was recorded."
    )
    record: RecordPlace


class ModelAnswer(Answer):
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


class ModelsAnswer(Answer):
    """The bundles that are served."""

    models: list[ModelAnswer]


class StatusAnswer(Answer):
    """Alive or ready."""

    status: str
