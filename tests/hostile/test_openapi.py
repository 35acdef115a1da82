"""Requests that machines make up from the OpenAPI document, and bodies that Hypothesis makes up."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving import app, state
from serving.api.openapi import openapi_document
from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from serving.logs import configure_logs
from tests.hostile.conftest import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving.conftest import World

JSON = {"content-type": "application/json"}
PATHS = ("/v1/score", "/v1/next-best-action")
SECONDS = 2.0
EXAMPLES = 25
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


def without_headers(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without its header parameters: malformed ones are replaced, by design, not refused."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [one for one in operation["parameters"] if "$ref" not in one]
    return document


schema = schemathesis.openapi.from_dict(without_headers(openapi_document()))


class Caller:
    """The app in a loop of its own, asked from outside of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient) -> None:
        self._loop = loop
        self._client = client

    def ask(self, method: str, path: str, **what: Any) -> httpx.Response:
        """Return the app's answer, which must come in time."""
        return self._loop.run_until_complete(
            asyncio.wait_for(self._client.request(method, path, **what), SECONDS)
        )


@pytest.fixture(scope="module")
def caller(world: World) -> Iterator[Caller]:
    """Return what asks the app, which logs every request."""
    loop = asyncio.new_event_loop()
    app = KeepgrowApp(world.settings(access_log_ratio=1))
    loop.run_until_complete(app.start(find_bundle(world.tag, world.home / "models")))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://keepgrow.test")
    yield Caller(loop, client)
    loop.run_until_complete(client.aclose())
    loop.run_until_complete(app.stop())
    loop.close()


def check(answer: httpx.Response) -> None:
    """Assert that *answer* is a good one, or a problem that is the client's."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
        assert len(answer.content) < 20_000


@schema.parametrize()
@QUICK
def test_requests_after_the_openapi_document(case: schemathesis.Case, caller: Caller) -> None:
    """Whatever the document allows, and much that it does not, gets an answer that the document describes."""
    sent = case.as_transport_kwargs(base_url="http://keepgrow.test")
    sent.pop("cookies", None)
    body = {"json": sent["json"]} if "json" in sent else {"content": sent["data"]} if sent.get("data") else {}
    headers = {key: value for key, value in sent["headers"].items() if value.isascii()}
    try:
        answer = caller.ask(sent["method"], sent["url"], headers=headers, params=sent.get("params"), **body)
    except (httpx.InvalidURL, UnicodeEncodeError, ValueError):
        return  # nothing that could be sent
    response = schemathesis.Response.from_httpx(answer, verify=False)
    case.validate_response(response, checks=CHECKS)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["acme-0001", MARK]),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text() | st.sampled_from(["account_id"]), inner)
    ),
    max_leaves=12,
)
ids = st.text(max_size=300) | st.sampled_from(["acme-0001", "acme-0002", MARK])
nearly = st.fixed_dictionaries(
    {},
    optional={
        "account_id": ids | anything,
        "account_ids": st.lists(ids, max_size=40) | st.lists(anything, max_size=5),
        "surface": st.sampled_from(["in_app", "email", "nowhere"]) | anything,
    },
)


@pytest.mark.parametrize("path", PATHS)
@settings(QUICK, max_examples=300)
@given(value=nearly | anything)
def test_any_json_body_is_answered(caller: Caller, path: str, value: object) -> None:
    """No JSON value makes the service fail or hang."""
    import json  # noqa: PLC0415 -- the lenient one, which writes NaN and halves of pairs

    check(caller.ask("POST", path, content=json.dumps(value).encode(), headers=JSON))


@pytest.mark.parametrize("path", PATHS)
@settings(QUICK, max_examples=300)
@given(body=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-16")))
def test_any_bytes_are_answered(caller: Caller, path: str, body: bytes) -> None:
    """No bytes make the service fail or hang."""
    check(caller.ask("POST", path, content=body, headers=JSON))


@settings(QUICK, max_examples=200)
@given(
    path=st.text(max_size=60),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "X"]),
)
def test_any_path_and_method_are_answered(caller: Caller, path: str, method: str) -> None:
    """No path and no method make the service fail or hang."""
    try:
        url = httpx.URL("http://keepgrow.test").copy_with(path=f"/v1/accounts/{path}")
    except (httpx.InvalidURL, UnicodeEncodeError):
        return
    answer = caller.ask(method, str(url))
    assert answer.status_code < 500


@settings(QUICK, max_examples=100)
@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["x-request-id", "traceparent", "content-type", "content-length", "accept", "expect"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200),
    )
)
def test_any_headers_are_answered(caller: Caller, headers: dict[str, str]) -> None:
    """No header makes the service fail, hang, or echo what is not well formed."""
    answer = caller.ask("POST", "/v1/score", content=b'{"account_id": "acme-0001"}', headers=headers)
    check(answer)
    echoed = answer.headers["x-request-id"]
    assert echoed == headers.get("x-request-id") or len(echoed) == 16


@pytest.fixture
def forgotten_streams() -> Iterator[None]:
    """Afterwards let the app's loggers look their stream up again; a used one keeps that of its first use."""
    yield
    structlog.reset_defaults()
    for log in (app.log, state.log):
        vars(log).pop("bind", None)


@pytest.mark.usefixtures("forgotten_streams")
def test_no_body_is_echoed_into_the_log(
    caller: Caller, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Requests of every outcome are logged, and none of what they say is."""
    configure_logs("DEBUG")
    caplog.set_level(logging.DEBUG)
    bodies: list[object] = [
        {"account_id": MARK}, {"account_ids": [MARK, "acme-0001"]}, {MARK: 1}, {"account_id": [MARK]}, [MARK], MARK,
        {"account_id": "acme-0001", MARK: MARK}, {"account_ids": [MARK] * 600}, {"account_ids": [MARK, MARK]},
    ]  # fmt: skip
    for path in PATHS:
        for body in bodies:
            check(caller.ask("POST", path, json=body))
        check(caller.ask("POST", path, content=f"{{{MARK}".encode(), headers=JSON))
        check(caller.ask("POST", path, content=MARK.encode(), headers={"content-type": MARK}))
    check(caller.ask("GET", f"/v1/accounts/{MARK}"))
    check(caller.ask("GET", f"/{MARK}?{MARK}={MARK}"))
    out, err = capsys.readouterr()
    ours = [
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    ]
    assert out.count('"endpoint"') >= len(PATHS) * len(bodies)
    assert MARK not in out + err + "".join(ours)
