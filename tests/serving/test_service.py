"""The service as it is run: by BentoML with two workers, and by uvicorn, over real sockets."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import bentoml
import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from keepgrow.processes import free_port, running
from serving.actions import outbox
from serving.front_door import FrontDoor
from serving.ledger.database import Database
from serving.ledger.transaction import Transaction
from tests.serving.world import NOW, account_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving.conftest import World

ROOT = Path(__file__).resolve().parents[2]
BENTOML = str(Path(sys.executable).parent / "bentoml")
SERVE = [BENTOML, "serve", "serving.service:Keepgrow", "--host", "127.0.0.1"]
UVICORN = [sys.executable, "-m", "serving"]
BODY = {"account_id": "acme-0001"}


def environment(world: World) -> dict[str, str]:
    """Return the environment of a service on *world*."""
    return {
        "BENTOML_HOME": str(world.home),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": world.redis_url,
        "LEDGER_URL": f"sqlite:///{world.home / 'ledger.db'}",
        "KEEPGROW_MODEL": world.tag,
        "KEEPGROW_CATALOGUE": "",
        "KEEPGROW_CLOCK_START": NOW.isoformat(),
    }


@contextlib.contextmanager
def served(command: list[str], env: dict[str, str], port: int) -> Iterator[str]:
    """Run a server and give its URL once it is ready."""
    url = f"http://127.0.0.1:{port}"
    with running([*command, "--port", str(port)], env) as process:
        until_ready(process, url)
        yield url


def until_ready(process: subprocess.Popen, url: str) -> None:
    """Wait until the server at *url* says that it is ready."""
    deadline = time.monotonic() + 90
    while True:
        assert process.poll() is None, "the server ended before it was ready"
        assert time.monotonic() < deadline, "the server did not become ready"
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        time.sleep(0.1)


@pytest.fixture(scope="module")
def bento_url(world: World) -> Iterator[str]:
    """Return the URL of the service under BentoML with two workers."""
    with served(SERVE, {**environment(world), "KEEPGROW_WORKERS": "2"}, free_port()) as url:
        yield url


@pytest.fixture(scope="module")
def uvicorn_url(world: World) -> Iterator[str]:
    """Return the URL of the app under uvicorn."""
    with served(UVICORN, environment(world), free_port()) as url:
        yield url


def without_clock(answer: dict) -> dict:
    """Return an answer without what depends on the second in which it was asked for."""
    timed = {"evidence", "decision_id", "decided_at", "valid_until"}
    return {key: value for key, value in answer.items() if key not in timed}


def test_both_servers_say_the_same(bento_url: str, uvicorn_url: str) -> None:
    """Scores and decisions do not depend on the server that the app runs under."""
    for account_id in account_ids(8):
        for path in ("/v1/score", "/v1/next-best-action"):
            answers = [
                httpx.post(url + path, json={"account_id": account_id}).json()
                for url in (bento_url, uvicorn_url)
            ]
            assert without_clock(answers[0]) == without_clock(answers[1])


def test_paths_that_bentoml_has_too_are_ours(bento_url: str) -> None:
    """Health and metrics are the app's, with its problem documents and its request ids, not BentoML's."""
    assert httpx.get(f"{bento_url}/livez").json() == {"status": "alive"}
    assert httpx.get(f"{bento_url}/readyz").json()["status"] == "ready"
    assert "keepgrow_http_request_duration_seconds" in httpx.get(f"{bento_url}/metrics").text
    unknown = httpx.get(f"{bento_url}/docs.json")
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "application/problem+json"
    assert "x-request-id" in unknown.headers
    wrong = httpx.get(f"{bento_url}/v1/score")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_the_bentoml_methods_answer_from_the_same_core(bento_url: str) -> None:
    """BentoML's own client gets the answers that HTTP gets, and errors of BentoML's form."""
    with bentoml.SyncHTTPClient(bento_url) as client:
        score = client.score(account_id="acme-0001")
        decision = client.next_best_action(account_id="acme-0001", surface="in_app")
        nothing = client.next_best_action(account_id="idle")
        several = client.score_many(account_ids=["acme-0002", "nobody"])
    assert without_clock(score) == without_clock(httpx.post(f"{bento_url}/v1/score", json=BODY).json())
    assert nothing["action"] is None
    asked = httpx.post(f"{bento_url}/v1/next-best-action", json={**BODY, "surface": "in_app"}).json()
    assert decision["action"] == asked["action"]
    assert decision["reason"]["code"] == asked["reason"]["code"]
    assert [one["account_id"] for one in several["scores"]] == ["acme-0002"]
    assert [one["account_id"] for one in several["errors"]] == ["nobody"]
    assert httpx.post(f"{bento_url}/score", json={"account_id": "nobody"}).status_code == 404
    assert httpx.post(f"{bento_url}/score", json={"account_id": ""}).status_code == 400


def test_metrics_of_all_workers_add_up(bento_url: str) -> None:
    """Whichever worker is asked, it counts the requests of both."""

    def counted() -> float:
        text = httpx.get(f"{bento_url}/metrics").text
        found = re.search(r'duration_seconds_count\{endpoint="/v1/models",outcome="ok"\} (\S+)', text)
        return float(found[1]) if found else 0.0

    before = counted()
    for _ in range(40):
        assert httpx.get(f"{bento_url}/v1/models").status_code == 200
    assert [counted() - before for _ in range(6)] == [40.0] * 6


def test_ten_applies_of_one_key_in_several_processes_are_one(
    bento_url: str, uvicorn_url: str, world: World
) -> None:
    """Sent at once to BentoML's two workers and to uvicorn: one receipt, one effect, ten equal answers."""
    actor = {"keepgrow-actor": "ann"}
    for account_id in account_ids():
        body = {"action_key": "guide_experiment", "account_id": account_id}
        simulation = httpx.post(f"{bento_url}/v1/actions/simulate", json=body, headers=actor).json()
        if simulation.get("allowed"):
            break
    else:
        raise AssertionError("no account may get the action")
    wish = {"simulation_id": simulation["simulation_id"]}
    headers = {**actor, "idempotency-key": simulation["simulation_id"]}

    def apply(url: str) -> httpx.Response:
        return httpx.post(f"{url}/v1/actions/apply", json=wish, headers=headers, timeout=30)

    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(apply, [bento_url, uvicorn_url] * 5))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len({answer.content for answer in answers}) == 1
    receipt = answers[0].json()
    database = Database(environment(world)["LEDGER_URL"])
    with database.reading() as connection:
        ledger = Transaction(connection)
        receipts = ledger.of_account(simulation["account_id"], ("receipt",))
        effects = outbox.of_receipt(ledger, receipt["receipt_id"])
    database.close()
    assert [one.record_id for one in receipts if one.content["source"]["id"] == wish["simulation_id"]] == [
        receipt["receipt_id"]
    ]
    assert [one.event_id for one in effects] == [one["event_id"] for one in receipt["effects"]]
    assert len(effects) == 1
    for _ in range(6):  # whichever worker is asked, it says what waits now, once
        text = httpx.get(f"{bento_url}/metrics").text
        assert re.findall(r'keepgrow_outbox_events\{state="dead",target="log"\} (\S+)', text) == ["0.0"]


@pytest.mark.parametrize("server", ["bento_url", "uvicorn_url"])
def test_a_body_of_10_mb_is_refused_over_a_real_socket(server: str, request: pytest.FixtureRequest) -> None:
    """The client reads a 413 problem, no reset connection, with a declared length and without."""
    url = request.getfixturevalue(server)
    body = b'{"account_id": "' + b"x" * (10 << 20) + b'"}'
    chunks = (body[start : start + (1 << 16)] for start in range(0, len(body), 1 << 16))
    for content in (body, chunks):
        answer = httpx.post(f"{url}/v1/score", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:keepgrow:problem:body-too-large"
    assert httpx.post(f"{url}/v1/score", json=BODY).status_code == 200


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"KEEPGROW_CATALOGUE": "/nowhere/plans.yaml"}, "/nowhere/plans.yaml: there is no such catalogue"),
        ({"KEEPGROW_MAX_ACCOUNTS": "many"}, "KEEPGROW_MAX_ACCOUNTS: "),
        ({"REDIS_URL": "http://127.0.0.1"}, "REDIS_URL"),
    ],
)
@pytest.mark.parametrize("command", [SERVE, UVICORN], ids=["bentoml", "uvicorn"])
def test_a_service_that_can_not_start_ends_and_says_why(
    world: World, change: dict[str, str], says: str, command: list[str]
) -> None:
    """A wrong setting ends the service with one sentence, not workers that die and start for ever."""
    done = subprocess.run(
        [*command, "--port", str(free_port())],
        env={**os.environ, **environment(world), **change},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert says in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [SERVE, UVICORN], ids=["bentoml", "uvicorn"])
def test_a_request_under_way_is_answered_before_the_service_ends(world: World, command: list[str]) -> None:
    """After SIGTERM, a request whose body was still to come is answered in full; then the process ends."""
    port = free_port()
    content = b'{"account_id": "acme-0001"}'
    head = (
        b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % len(content)
    )
    with running([*command, "--port", str(port)], environment(world)) as process:
        until_ready(process, f"http://127.0.0.1:{port}")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(20)
            client.sendall(head + content[:5])
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            client.sendall(content[5:])
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
        process.wait(20)


async def test_the_front_door_steps_before_what_bentoml_puts_before_it() -> None:
    """Once started, requests reach the app without passing the middlewares that stood before the door."""
    passed: list[str] = []

    class Before:
        def __init__(self, app: object) -> None:
            self.app = app

        async def __call__(self, scope: dict, receive: object, send: object) -> None:
            passed.append(scope.get("path", scope["type"]))
            await self.app(scope, receive, send)

    async def front(_scope: object, _receive: object, send: object) -> None:
        await PlainTextResponse("ours")(_scope, _receive, send)

    behind = Starlette(
        routes=[Route("/score", lambda _: PlainTextResponse("theirs"))],
        middleware=[Middleware(Before), Middleware(FrontDoor, front=front)],
    )
    with TestClient(behind) as client:
        assert client.get("/v1/score").text == "ours"
        assert client.get("/score").text == "theirs"
    assert passed == ["lifespan", "/score"]


@pytest.mark.parametrize("server", ["bento_url", "uvicorn_url"])
def test_a_head_that_does_not_end_is_cut_off(server: str, request: pytest.FixtureRequest) -> None:
    """Under either server a request line and headers beyond 64 KiB are answered with 431 and the connection ends."""
    parts = urlsplit(request.getfixturevalue(server))
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.settimeout(20)
        client.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n")
        with contextlib.suppress(ConnectionError):
            for number in range(40):
                client.sendall(b"x-filler-%d: " % number + b"x" * 4000 + b"\r\n")
                time.sleep(0.01)
        answer = client.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 431")


def test_a_head_that_does_not_come_is_not_waited_for(uvicorn_url: str) -> None:
    """Without BentoML too, a connection on which no request begins within seconds is closed."""
    parts = urlsplit(uvicorn_url)
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.settimeout(20)
        client.sendall(b"GET /livez")
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
        assert time.monotonic() - begun < 15
