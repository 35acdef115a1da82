"""What the endpoints answer when something is wrong: always a problem document of a stable type."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import pytest
import structlog

from keepgrow.valkey import running_valkey
from serving.api import problems
from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from tests.serving.documented import schema_of
from tests.serving.world import write_online

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.serving.conftest import World

JSON = {"content-type": "application/json"}
SCORE, DECIDE = "/v1/score", "/v1/next-best-action"


def assert_problem(answer: httpx.Response, status: int, name: str) -> None:
    """Assert that *answer* is a problem document of this status and kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    jsonschema.validate(document, schema_of("ProblemDocument"))
    assert document["type"] == f"urn:keepgrow:problem:{name}"
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", [SCORE, DECIDE])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"acme"', b"{}", b'{"account_id": 17}', b'{"account_id": "17", "x": 1}',
        b'{"account_id": ""}', b'{"account_id": null}', b'{"account_id": true}', b'{"account_id": NaN}',
        b'{"account_id": "a", "n": Infinity}', b'{"account_id": ["a"]}', b"\xff\xfe{}",
        b'{"account_id": "\xff"}',
        b'{"account_id": "\\ud800"}', b"[" * 5000, b'{"account_id": "' + b"x" * 257 + b'"}',
        b'{"account_id": "' + "é".encode() * 129 + b'"}',
    ],
)  # fmt: skip
async def test_a_malformed_body_is_422(client: httpx.AsyncClient, path: str, body: Any) -> None:
    """Whatever is not the documented JSON is refused as malformed, and only its places are echoed."""
    assert_problem(await client.post(path, content=body, headers=JSON), 422, "malformed-body")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"account_ids": []}, "/account_ids"),
        ({"account_ids": ["a", 5]}, "/account_ids/1"),
        ({"account_ids": ["a", ""]}, "/account_ids/1"),
        ({"account_ids": ["a", "b", "a"]}, "/account_ids/2"),
        ({"account_ids": "acme"}, "/account_ids"),
        ({"account_id": 5}, "/account_id"),
        ({"account_id": "a", "extra/key": 1}, "/extra~1key"),
    ],
)
async def test_errors_point_at_the_place(client: httpx.AsyncClient, body: Any, pointer: str) -> None:
    """Each fault of the body is named by a JSON Pointer."""
    answer = await client.post(SCORE, json=body)
    assert_problem(answer, 422, "malformed-body")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_both_forms_at_once_are_refused(client: httpx.AsyncClient) -> None:
    """`account_id` beside `account_ids` is malformed rather than silently one of them."""
    answer = await client.post(SCORE, json={"account_id": "a", "account_ids": ["b"]})
    assert_problem(answer, 422, "malformed-body")


async def test_an_unknown_surface_is_422(client: httpx.AsyncClient) -> None:
    """A surface that is not in the list is malformed."""
    answer = await client.post(DECIDE, json={"account_id": "acme-0001", "surface": "billboard"})
    assert_problem(answer, 422, "malformed-body")


@pytest.mark.parametrize("path", [SCORE, DECIDE])
async def test_an_unknown_account_is_404(client: httpx.AsyncClient, path: str) -> None:
    """An account that the store lacks is named in the problem."""
    answer = await client.post(path, json={"account_id": "ACME-0001"})
    assert_problem(answer, 404, "unknown-account")
    assert answer.json()["account_id"] == "ACME-0001"


async def test_an_unknown_account_in_the_path_is_404_and_a_long_one_422(client: httpx.AsyncClient) -> None:
    """The account card tells unknown accounts from ids that can't be."""
    assert_problem(await client.get("/v1/accounts/nobody"), 404, "unknown-account")
    assert_problem(await client.get("/v1/accounts/" + "x" * 257), 422, "malformed-body")
    assert_problem(await client.get("/v1/accounts/"), 404, "unknown-path")
    assert_problem(await client.get("/v1/accounts/%ff"), 404, "unknown-path")


async def test_500_accounts_are_answered_and_501_are_413(client: httpx.AsyncClient) -> None:
    """The limit of accounts is exact."""
    ids = [f"acme-{number:04d}" for number in range(501)]
    answer = await client.post(SCORE, json={"account_ids": ids[:500]})
    assert answer.status_code == 200
    assert len(answer.json()["scores"]) + len(answer.json()["errors"]) == 500
    assert_problem(await client.post(SCORE, json={"account_ids": ids}), 413, "too-many-accounts")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_10_mb_is_413(client: httpx.AsyncClient, chunked: bool) -> None:
    """A body over the limit is refused, with or without a declared length."""
    body = b'{"account_id": "' + b"x" * (10 << 20) + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1 << 16):
            yield body[start : start + (1 << 16)]

    answer = await client.post(SCORE, content=chunks() if chunked else body, headers=JSON)
    assert_problem(answer, 413, "body-too-large")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]
)
async def test_another_content_type_is_415(client: httpx.AsyncClient, content_type: str) -> None:
    """Only `application/json` is read, with or without parameters."""
    body = b'{"account_id": "acme-0001"}'
    assert_problem(
        await client.post(SCORE, content=body, headers={"content-type": content_type}),
        415,
        "unsupported-media-type",
    )
    right = await client.post(
        SCORE, content=body, headers={"content-type": "Application/JSON; charset=utf-8"}
    )
    assert right.status_code == 200


async def test_an_unknown_path_is_404_and_a_wrong_method_405_with_allow(client: httpx.AsyncClient) -> None:
    """Paths and methods that don't exist are problems too, and 405 says what would be right."""
    assert_problem(await client.get("/v2/score"), 404, "unknown-path")
    wrong = await client.get(SCORE)
    assert_problem(wrong, 405, "method-not-allowed")
    assert wrong.headers["allow"] == "POST"
    wrong = await client.delete("/v1/accounts/acme-0001")
    assert_problem(wrong, 405, "method-not-allowed")
    assert wrong.headers["allow"] == "GET, HEAD"


async def test_a_slow_body_is_408(world: World) -> None:
    """A client that sends half a body and then nothing is let go after the body's time limit."""
    app = KeepgrowApp(world.settings(body_timeout_seconds=0.1))
    await app.start(find_bundle(world.tag, world.home / "models"))

    sent = []
    messages = iter([{"type": "http.request", "body": b'{"acc', "more_body": True}])

    async def receive() -> dict[str, Any]:
        try:
            return next(messages)
        except StopIteration:
            await asyncio.sleep(30)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": SCORE, "raw_path": SCORE.encode(),
             "headers": [(b"content-type", b"application/json")]}  # fmt: skip
    await asyncio.wait_for(app(scope, receive, send), 5)
    await app.stop()
    assert sent[0]["status"] == 408


async def test_a_client_that_goes_away_gets_no_answer(app: KeepgrowApp) -> None:
    """Nothing is sent to a connection that closed before its body was complete."""
    sent = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": SCORE, "raw_path": SCORE.encode(),
             "headers": [(b"content-type", b"application/json")]}  # fmt: skip
    await app(scope, receive, send)
    assert sent == []
    assert app.state.in_flight == 0


async def test_beyond_the_bound_of_requests_in_flight_is_503_with_retry_after(
    app: KeepgrowApp, client: httpx.AsyncClient
) -> None:
    """At the bound, questions are refused at once, and health and metrics still answer."""
    app.state.in_flight = app.settings.max_in_flight
    answer = await client.post(SCORE, json={"account_id": "acme-0001"})
    assert_problem(answer, 503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert (await client.get("/livez")).status_code == 200
    app.state.in_flight = 0
    assert (await client.post(SCORE, json={"account_id": "acme-0001"})).status_code == 200


async def test_an_unexpected_error_is_500_without_our_insides(
    app: KeepgrowApp, client: httpx.AsyncClient
) -> None:
    """A fault of ours says nothing of itself to the client, and all of it to the log, under the id."""
    app.state.frames = None
    with structlog.testing.capture_logs() as logs:
        answer = await client.post(
            DECIDE, json={"account_id": "acme-0001"}, headers={"x-request-id": "find-me"}
        )
    assert_problem(answer, 500, "internal-error")
    assert "NoneType" not in answer.text
    assert "Traceback" not in answer.text
    failed = [entry for entry in logs if entry["event"] == "failed"]
    assert [entry["request_id"] for entry in failed] == ["find-me"]
    assert isinstance(failed[0]["exc_info"], AttributeError)
    assert "acme-0001" not in str(logs)


async def test_before_the_start_every_path_is_503(world: World) -> None:
    """An app that was not started is not ready, and says so as a problem."""
    app = KeepgrowApp(world.settings())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://keepgrow.test"
    ) as client:
        assert_problem(await client.get("/readyz"), 503, "not-ready")
        assert_problem(await client.post(SCORE, json={"account_id": "acme-0001"}), 503, "not-ready")


async def test_a_store_that_is_gone_is_503_within_250_ms_and_comes_back(world: World, tmp_path: Path) -> None:
    """With the store gone, questions fail fast and liveness holds; when it is back, so are the answers."""
    with running_valkey(tmp_path / "valkey") as url:
        port = int(url.rsplit(":", 1)[1].partition("/")[0])
        write_online(url, world.contract, world.features)
        app = KeepgrowApp(world.settings(redis_url=url))
        await app.start(find_bundle(world.tag, world.home / "models"))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://keepgrow.test")
        assert (await client.post(SCORE, json={"account_id": "acme-0001"})).status_code == 200
    for _ in range(3):
        start = time.perf_counter()
        gone = await client.post(SCORE, json={"account_id": "acme-0001"})
        seconds = time.perf_counter() - start
        assert_problem(gone, 503, "store-unavailable")
        assert gone.headers["retry-after"] == "1"
        assert seconds < 1.0  # 250 ms on a quiet machine; the bound here only tells an answer from a hang
    assert_problem(await client.get("/readyz"), 503, "not-ready")
    assert (await client.get("/livez")).status_code == 200
    with running_valkey(tmp_path / "valkey", port) as url:
        write_online(url, world.contract, world.features)
        for _ in range(50):
            back = await client.post(SCORE, json={"account_id": "acme-0001"})
            if back.status_code == 200:
                break
            await asyncio.sleep(0.1)
        assert back.status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        await client.aclose()
        await app.stop()


def test_every_kind_of_problem_has_a_type_of_its_own() -> None:
    """No two kinds share a type, and every status is one of an error."""
    assert len({kind.type for kind in problems.KINDS}) == len(problems.KINDS)
    assert all(400 <= kind.status < 600 for kind in problems.KINDS)
