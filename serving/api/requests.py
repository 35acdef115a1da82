"""The bodies that clients send, checked strictly: no coercion, no unknown keys, errors that point."""

from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from serving.api.problems import INVALID_PARAMETER, MALFORMED_BODY, TOO_MANY_ACCOUNTS, ProblemError
from serving.decisions.catalogue import Surface

MAX_ID_BYTES = 256
MOST_ERRORS = 20
EXPLAIN_EXACTLY = "exact"
"""The one value of the query parameter `explain`."""


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
    # In a query's percent-encoding nothing but ASCII is left; what else comes is nobody's value.
    values = [value for name, value in parse_qsl(query.decode("latin-1"), True) if name == "explain"]
    if any(value != EXPLAIN_EXACTLY for value in values):
        raise ProblemError(
            INVALID_PARAMETER,
            f"`explain` may only be `{EXPLAIN_EXACTLY}`; leave it out for the reasons that every score has.",
            members={"errors": [{"parameter": "explain", "detail": f"should be `{EXPLAIN_EXACTLY}`"}]},
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
        faults = [
            {
                "pointer": "/" + "/".join(_escape(part) for part in fault["loc"]),
                "detail": fault["msg"].removeprefix("Value error, "),
            }
            for fault in error.errors(include_url=False, include_context=False, include_input=False)[
                :MOST_ERRORS
            ]
        ]
        raise _malformed("The body is not of the documented form.", faults) from None


def _escape(part: str | int) -> str:
    return str(part)[:MAX_ID_BYTES].replace("~", "~0").replace("/", "~1")


def _malformed(detail: str, errors: list[dict[str, str]] | None = None) -> ProblemError:
    return ProblemError(MALFORMED_BODY, detail, members={"errors": errors} if errors else None)
