"""The form of the brief, as `GET /v1/accounts/{account_id}/brief` answers it; see `responses`."""

from typing import Literal

from pydantic import Field

from serving.api.action_responses import (
    CheckAnswer,
    EstimateAnswer,
    ProjectionAnswer,
    SimulationAnswer,
)
from serving.api.answer import Answer
from serving.api.card_responses import AccountCard
from serving.api.responses import AlternativeAnswer, RefusedAnswer


class BudgetUseAnswer(Answer):
    """What an action would use of one cap or budget."""

    cap: str
    unit: Literal["actions", "cost", "csm_minutes"]
    takes: float
    used: float | None = Field(description="Used already within the window; null if that is not known.")
    limit: float
    window_days: float
    per: list[str] = Field(description="What is counted apart; empty: the whole company together.")


class ChurnProjectionAnswer(Answer):
    """Probability of leaving without the action, and with it."""

    without: float
    with_: EstimateAnswer = Field(alias="with")


class BriefProjectionAnswer(ProjectionAnswer):
    """What one action would bring and cost."""

    churn_risk: ChurnProjectionAnswer


class BriefSimulationAnswer(SimulationAnswer):
    """What would come of the action. It is on record, and can be applied by its id."""

    read_back: str = Field(description="In one sentence, what will be done.")
    reversible: bool
    allowed: bool = Field(description="Whether it may be applied as things are.")
    approvals_needed: int = Field(description="How many people must agree, other than who applies it.")
    blast_radius: Literal["low", "medium", "high"]
    disclosures: dict[str, str]
    checks: list[CheckAnswer]
    projection: BriefProjectionAnswer
    valid_until: str


class SharedSimulationAnswer(BriefSimulationAnswer):
    """An earlier simulation that somebody was asked to look at."""

    title: str
    approvals: list[dict[str, str]] = Field(description="Who agreed, and when.")


class BriefActionAnswer(AlternativeAnswer):
    """An action that stood, and its simulation."""

    recommended: bool = Field(description="Whether it is the decision's own action.")
    rank_by_safety: int
    rank_by_value: int
    budget_use: list[BudgetUseAnswer]
    simulation: BriefSimulationAnswer


class DoNothingAnswer(Answer):
    """What is expected if nothing is done: what every action is held against."""

    action: None
    churn_risk: float
    within: str = Field(description="The horizon of that risk.")
    mrr_at_risk: float | None
    currency: str


class TitledRefusalAnswer(RefusedAnswer):
    """An action that fell, with its title."""

    title: str


class RefusedStageAnswer(Answer):
    """What fell at one stage."""

    stage: str
    refused: list[TitledRefusalAnswer]


class AppliedActionAnswer(Answer):
    """What was done before."""

    receipt_id: str
    action_key: str
    read_back: str
    applied_at: str
    applied_by: str
    state: Literal["open", "undone", "final"] = Field(
        description="`open`: it can be undone, with its rollback token; `final`: nothing undoes it any more."
    )
    rolled_back_at: str | None
    rolled_back_by: str | None


class FairnessAnswer(Answer):
    """What can be told of one account: shares of groups need many, see `POST /v1/actions/simulate`."""

    groups: dict[str, str | None] = Field(description="The groups that the account belongs to.")
    seen_by_models: list[str] = Field(description="Those of the groupings that are features of the models.")


class ViewSourceAnswer(Answer):
    """How old one view is."""

    view: str
    as_of: str | None
    age_seconds: int | None
    limit_seconds: int


class SourcesAnswer(Answer):
    """Where everything comes from, with times and versions."""

    status: Literal["full", "thin", "stale"]
    views: list[ViewSourceAnswer]
    missing: list[str]
    clock: Literal["demonstration"] | None
    model: str
    feature_contract: str
    policy: str
    catalogue: str
    decision_id: str
    decided_at: str
    valid_until: str


class BriefAnswer(AccountCard):
    """The account card, and all that a person should weigh before acting."""

    made_at: str
    order: str = Field(description="How `actions` are ordered.")
    actions: list[BriefActionAnswer] = Field(description="The actions that stood, safest first.")
    do_nothing: DoNothingAnswer
    refused_by_stage: list[RefusedStageAnswer]
    shared_simulation: SharedSimulationAnswer | None = Field(
        description="The simulation that `simulation_id` names."
    )
    applied_actions: list[AppliedActionAnswer] = Field(description="The newest receipts, newest first.")
    fairness: FairnessAnswer
    sources: SourcesAnswer
