"""The form of the answers about actions, for the OpenAPI document; a test holds answers against these."""

from typing import Any, Literal

from pydantic import Field

from serving.actions.types import AnyAction
from serving.api.answer import Answer


class CheckAnswer(Answer):
    """One check and how it came out."""

    stage: str
    rule: str = Field(description="Id of the policy's rule, else the code of the reason.")
    passed: bool
    blocks: bool = Field(description="Whether the action must pass it.")
    text: str


class EstimateAnswer(Answer):
    """A number with its central 90 % interval."""

    mean: float
    interval_90: tuple[float, float]


class ProjectionAnswer(Answer):
    """What actions would bring and cost, all together."""

    accounts: int
    currency: str
    incremental_mrr: EstimateAnswer
    incremental_nrr_ratio: EstimateAnswer
    margin_year: EstimateAnswer = Field(
        description="Margin of a year, net of costs and of discounts in full."
    )
    complaint_risk: EstimateAnswer
    csm_minutes: float
    method: str = Field(description="How intervals were made.")


class SimulationAnswer(Answer):
    """A simulation; of one action it can be applied by its id."""

    simulation_id: str
    simulated_at: str
    proposed_by: str
    kind: Literal["action", "accounts", "policy"]
    hashes: dict[str, str]


class EffectAnswer(Answer):
    """An effect that leaves for other systems."""

    event_id: str
    type: str


class ReceiptAnswer(Answer):
    """What was done, by whom, and by which rules."""

    receipt_id: str
    account_id: str
    action: AnyAction
    read_back: str
    applied_at: str
    applied_by: str
    proposed_by: str | None
    approvals: list[dict[str, str]]
    disclosures: dict[str, str]
    price_band: dict[str, Any] | None
    checks: list[CheckAnswer]
    hashes: dict[str, str]
    effects: list[EffectAnswer]
    targets: list[str] = Field(description="Where effects go.")
    reservation: dict[str, Any] | None = Field(description="What it uses of caps.")
    reversible: bool


class NewReceiptAnswer(ReceiptAnswer):
    """The receipt as apply gives it."""

    rollback_token: str = Field(description="Undoes the action; no other answer holds it.")


class DeliveryAnswer(Answer):
    """An effect on its way to one target."""

    event_id: str
    type: str
    target: str
    state: Literal["pending", "delivered", "dead", "cancelled"]
    attempts: int


class RollbackAnswer(Answer):
    """How an action was undone."""

    receipt_id: str
    account_id: str
    rolled_back_at: str
    rolled_back_by: str
    cancelled: list[str] = Field(description="Effects that had not left, and don't.")
    effects: list[EffectAnswer] = Field(description="Effects that undo.")


class KnownReceiptAnswer(ReceiptAnswer):
    """A receipt, and what became of it."""

    deliveries: list[DeliveryAnswer]
    rollback: RollbackAnswer | None


class ApprovalAnswer(Answer):
    """An approval on record."""

    source: dict[str, str]
    account_id: str
    approved_by: str
    approved_at: str
    note: str | None
