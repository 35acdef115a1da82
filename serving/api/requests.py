"""The bodies that clients send, checked strictly: no coercion, no unknown keys, errors that point."""

from typing import Annotated, Any, Self, TypeVar
from urllib.parse import parse_qsl

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from serving.api.problems import INVALID_PARAMETER, MALFORMED_BODY, TOO_MANY_ACCOUNTS, ProblemError
from serving.decisions.catalogue import Surface
from serving.ledger.outcomes import Event

MAX_ID_BYTES = 256
MOST_ERRORS = 20
EXPLAIN_EXACTLY = "exact"
"""The one value of the query parameter `explain`."""
WITH_INTERVALS = "true"
"""The one value of the query parameter `intervals`."""
WITH_TREND = "true"
"""The one value of the query parameter `trend`."""


def _short(value: str) -> str:
    if len(value.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        raise ValueError(f"an account id has at most {MAX_ID_BYTES} bytes in UTF-8")
    return value


AccountId = Annotated[
    str,
    StringConstraints(strict=True, min_length=1),
    AfterValidator(_short),
    Field(description=f"Account id: 1 to {MAX_ID_BYTES} bytes of UTF-8, compared byte for byte."),
]


ShortText = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=256, pattern=r"^[^\x00]*$")
]
"""Text that every database can hold."""


def _text_of_time(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a time is text, like 2026-03-01T12:00:00Z")  # noqa: TRY004 -- pydantic words ValueErrors
    return value


Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_text_of_time)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Body = TypeVar("Body", bound=_Body)


class ScoreOneRequest(_Body):
    """Ask for the score of one account."""

    account_id: AccountId


class ScoreManyRequest(_Body):
    """Ask for the scores of several accounts, each named once."""

    account_ids: Annotated[
        list[AccountId], Field(min_length=1, description="Up to 500 different account ids.")
    ]


class NextBestActionRequest(_Body):
    """Ask for the one action worth taking now."""

    account_id: AccountId
    surface: Annotated[
        Surface | None, Field(description="Where the action would be shown; without it, any surface.")
    ] = None


class OutcomeRequest(_Body):
    """Say what came of a decision."""

    decision_id: Annotated[ShortText, Field(description="The decision.")]
    event: Annotated[Event, Field(description="What happened.")]
    action: Annotated[
        ShortText | None,
        Field(description="Key of the action that it happened to; without it, the decision's own."),
    ] = None
    at: Annotated[
        Time | None,
        Field(description="When it happened, with its zone; without it, now. Late ones are welcome."),
    ] = None
    reason: Annotated[
        str | None, Field(max_length=2000, description="Why, in anyone's words; `rejected` needs it.")
    ] = None
    extra_mrr: Annotated[
        float | None,
        Field(
            strict=False,
            allow_inf_nan=False,
            description="Change of MRR that came with it, in the catalogue's currency.",
        ),
    ] = None
    outcome_id: Annotated[
        ShortText | None,
        Field(
            description="The sender's id: sent again with the same content it is the same outcome. Without it "
            "outcomes of equal content are one."
        ),
    ] = None

    @model_validator(mode="after")
    def _a_rejection_has_a_reason(self) -> Self:
        if self.event == "rejected" and not self.reason:
            raise ValueError("a rejection needs its `reason`")
        return self


def parse_outcome(body: object) -> OutcomeRequest:
    """Return the outcome that a `/v1/outcomes` *body* holds.

    Raises:
        ProblemError: The body is not of that form.
    """
    if not isinstance(body, dict):
        raise _malformed("The body should be a JSON object with `decision_id` and `event`.")
    return _validate(OutcomeRequest, body)


def parse_score(body: object, max_accounts: int) -> ScoreOneRequest | ScoreManyRequest:
    """Return the request that a `/v1/score` *body* makes.

    Raises:
        ProblemError: The body is not of either form, or names too many accounts.
    """
    if not isinstance(body, dict):
        raise _malformed("The body should be a JSON object with `account_id` or `account_ids`.")
    if "account_id" in body and "account_ids" in body:
        raise _malformed("Send either `account_id` or `account_ids`, not both.")
    if "account_ids" not in body:
        return _validate(ScoreOneRequest, body)
    many = body["account_ids"]
    if isinstance(many, list) and len(many) > max_accounts:
        raise ProblemError(
            TOO_MANY_ACCOUNTS, f"{len(many)} accounts were named; one request may name {max_accounts}."
        )
    request = _validate(ScoreManyRequest, body)
    refuse_repeated(request.account_ids)
    return request


def parse_explain(query: bytes) -> bool:
    """Return whether the *query* of a `/v1/score` asks for exact reasons; other parameters are left alone.

    Raises:
        ProblemError: `explain` has another value than `exact`.
    """
    if not query:
        return False
    return _chosen(query, "explain", EXPLAIN_EXACTLY, "leave it out for the reasons that every score has")


def parse_intervals(query: bytes) -> bool:
    """Return whether the *query* of a `/v1/score` asks for intervals of several accounts.

    Raises:
        ProblemError: `intervals` has another value than `true`.
    """
    return bool(query) and _chosen(
        query, "intervals", WITH_INTERVALS, "leave it out for scores of several accounts without them"
    )


def parse_trend(query: bytes, *, several: bool = False) -> bool:
    """Return whether the *query* of a score or an account card asks for the trend of the risk.

    Raises:
        ProblemError: `trend` has another value than `true`, or *several* accounts are asked about.
    """
    wanted = bool(query) and _chosen(query, "trend", WITH_TREND, "leave it out for an answer without it")
    if wanted and several:
        raise ProblemError(
            INVALID_PARAMETER,
            "`trend` is told of one account at a time; `keepgrow score --trend` writes that of all.",
            members={"errors": [{"parameter": "trend", "detail": "should come with `account_id`"}]},
        )
    return wanted


def _chosen(query: bytes, parameter: str, only: str, otherwise: str) -> bool:
    """Return whether *query* has *parameter*, which has one value only."""
    # In a query's percent-encoding nothing but ASCII is left; what else comes is nobody's value.
    values = [value for name, value in parse_qsl(query.decode("latin-1"), True) if name == parameter]
    if any(value != only for value in values):
        raise ProblemError(
            INVALID_PARAMETER,
            f"`{parameter}` may only be `{only}`; {otherwise}.",
            members={"errors": [{"parameter": parameter, "detail": f"should be `{only}`"}]},
        )
    return bool(values)


def parse_next_best_action(body: object) -> NextBestActionRequest:
    """Return the request that a `/v1/next-best-action` *body* makes.

    Raises:
        ProblemError: The body is not of that form.
    """
    if not isinstance(body, dict):
        raise _malformed("The body should be a JSON object with `account_id`.")
    return _validate(NextBestActionRequest, body)


def check_account_id(value: str) -> str:
    """Return *value* if it can be an account's id.

    Raises:
        ProblemError: It is empty or too long.
    """
    return _validate(ScoreOneRequest, {"account_id": value}).account_id


def refuse_repeated(account_ids: list[str]) -> None:
    """Refuse a list that names an account twice.

    Raises:
        ProblemError: It does.
    """
    if len(set(account_ids)) == len(account_ids):
        return
    first: dict[str, int] = {}
    errors = []
    for index, account_id in enumerate(account_ids):
        if account_id in first:
            errors.append(
                {"pointer": f"/account_ids/{index}", "detail": f"repeats /account_ids/{first[account_id]}"}
            )
        first.setdefault(account_id, index)
    raise _malformed("An account is named twice.", errors)


def _validate(model: type[Body], body: dict[str, Any]) -> Body:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise faulty(error) from None


def faulty(error: ValidationError) -> ProblemError:
    """Return the problem of a body in which validation found faults, each with its place."""
    faults = [
        {
            "pointer": "".join(f"/{_escape(part)}" for part in fault["loc"]),
            "detail": fault["msg"].removeprefix("Value error, "),
        }
        for fault in error.errors(include_url=False, include_context=False, include_input=False)[:MOST_ERRORS]
    ]
    return _malformed("The body is not of the documented form.", faults)


def _escape(part: str | int) -> str:
    return str(part)[:MAX_ID_BYTES].replace("~", "~0").replace("/", "~1")


def _malformed(detail: str, errors: list[dict[str, str]] | None = None) -> ProblemError:
    return ProblemError(MALFORMED_BODY, detail, members={"errors": errors} if errors else None)
