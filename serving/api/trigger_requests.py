"""The bodies of requests about triggers, and the form of the answers; a test holds answers against these."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.api.answer import Answer
from serving.api.problems import MALFORMED_BODY, ProblemError
from serving.api.requests import AccountId, faulty, refuse_repeated
from serving.triggers.document import Queue


class RunTriggersRequest(BaseModel):
    """Run triggers over some accounts, for example over those whose usage has just dropped."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    account_ids: Annotated[list[AccountId], Field(min_length=1, description="Different account ids.")]
    dry_run: Annotated[bool, Field(description="Only say what would be done; nothing is recorded.")] = False


def parse_run(body: object) -> RunTriggersRequest:
    """Return the request that a `/v1/triggers/run` *body* makes.

    Raises:
        ProblemError: The body is not of that form, or names an account twice.
    """
    if not isinstance(body, dict):
        raise ProblemError(MALFORMED_BODY, "The body should be a JSON object with `account_ids`.")
    try:
        wanted = RunTriggersRequest.model_validate(body)
    except ValidationError as error:
        raise faulty(error) from None
    refuse_repeated(wanted.account_ids)
    return wanted


class WhyAnswer(Answer):
    """A reason."""

    code: str
    text: str


class TriggerResultAnswer(Answer):
    """One thing that a run did to an account."""

    account_id: str
    workflow_id: str
    trigger: str
    playbook: str
    step: str | None
    outcome: Literal["started", "applied", "task", "nothing", "ended"]
    action: str | None
    receipt_id: str | None
    task_id: str | None
    reason: WhyAnswer


class TriggerRunAnswer(Answer):
    """What a run did."""

    at: str
    accounts: int
    stale: int = Field(description="Accounts whose features are too old to do anything.")
    triggers: dict[str, dict[str, int]] = Field(
        description="By trigger, how many accounts it fired for (`fired`), workflows `started`, and steps `applied`, "
        "made a `task`, come to `nothing` or `held_out`; `ended` reached their aim, `unknown` could not be told."
    )
    results: list[TriggerResultAnswer] = Field(description="What is new; what is on record is not repeated.")
    errors: list[dict[str, Any]] = Field(description="A problem for each account of which nothing is known.")


class WorkflowStepAnswer(Answer):
    """What became of a step."""

    step: str
    outcome: Literal["applied", "task", "nothing"]
    action: str | None
    decision_id: str | None
    reason: WhyAnswer
    at: str


class TaskAnswer(Answer):
    """What people are asked to do."""

    task_id: str
    workflow_id: str
    step: str
    queue: Queue
    text: str
    action: dict[str, str]
    decision_id: str
    level: str
    why: WhyAnswer
    made_at: str


class WorkflowAnswer(Answer):
    """A workflow: why it was started, what it is to do, and what was done."""

    workflow_id: str
    trigger: str
    playbook: str
    queue: Queue
    text: str
    values: dict[str, Any]
    lifecycle_stage: str
    started_at: str
    ends_at: str
    state: Literal["open", "aim_reached", "over"]
    ended_at: str | None
    plan: list[dict[str, Any]]
    steps: list[WorkflowStepAnswer]
    tasks: list[TaskAnswer]


class WorkflowsAnswer(Answer):
    """The workflows of an account, newest first."""

    account_id: str
    workflows: list[WorkflowAnswer]
