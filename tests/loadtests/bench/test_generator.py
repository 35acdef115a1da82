"""The load generator, against real servers on loopback that behave well and badly."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time

import pytest

from loadtests.bench.generator import Load, as_json, run
from loadtests.bench.servers import ROOT, free_port
from loadtests.bench.workload import make_shots

ACCOUNTS = [f"acme-{number:04d}" for number in range(600)]


@contextlib.contextmanager
def server(answer):
    """Yield the port of a server that sends, for each request on a connection, what *answer* makes of it.

    *answer* gets the request's number and its bytes and returns the bytes to send, or None to close the connection.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    over = threading.Event()
    counter = iter(range(1_000_000))

    def talk(connection):
        connection.settimeout(0.05)
        with connection:
            while not over.is_set():
                try:
                    data = connection.recv(1 << 16)
                except TimeoutError:
                    continue
                except OSError:
                    return
                said = answer(next(counter), data) if data else None
                if said is None:
                    return
                connection.sendall(said)

    def accept():
        while not over.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join(2)
        listener.close()


def account_of(request):
    """Return the account that a request names."""
    return json.loads(request.partition(b"\r\n\r\n")[2])["account_id"]


def http(body, status="200 OK"):
    """Return an HTTP answer that holds *body* as JSON."""
    content = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def right(_, request):
    """Answer as the service does."""
    return http({"account_id": account_of(request), "churn_probability": {}})


def load(port, **changes):
    """Return a short load on one connection."""
    values = {"connections": 1, "seconds": 0.4, "timeout_seconds": 2.0, **changes}
    return Load(port=port, kind="score", accounts_file="", **values)


def shots():
    """Return some requests."""
    return make_shots("score", ACCOUNTS, 50, seed=1)


def test_right_answers_are_counted_and_timed():
    """Every right answer gives one latency, and nothing else happens."""
    with server(right) as port:
        outcome = run(load(port, connections=2), shots())
    assert outcome.answered == outcome.answers > 20
    assert not outcome.errors
    assert 0.3 < outcome.seconds < 2
    assert all(latency > 0 for latency in outcome.latencies_ns)


def test_the_number_of_requests_is_bounded():
    """No more is sent than allowed, whatever the time."""
    with server(right) as port:
        assert run(load(port, seconds=5, most_requests=7), shots()).answers == 7


def test_another_accounts_answer_is_an_error():
    """An answer that is a 200 but speaks of somebody else is wrong."""
    with server(lambda *_: http({"account_id": "somebody", "churn_probability": {}})) as port:
        outcome = run(load(port, most_requests=5), shots())
    assert outcome.errors == {"wrong answer": 5}
    assert outcome.answered == 0


def test_a_refusal_is_an_error():
    """A status other than 200 is counted under its number."""
    with server(lambda *_: http({}, "503 Service Unavailable")) as port:
        outcome = run(load(port, most_requests=5), shots())
    assert outcome.errors == {"status 503": 5}


def test_a_closed_connection_is_an_error_and_the_run_goes_on():
    """A request whose connection is closed fails; the next is sent on a new connection."""
    with server(lambda number, request: None if number == 2 else right(number, request)) as port:
        outcome = run(load(port, most_requests=10), shots())
    assert outcome.errors == {"connection closed": 1}
    assert outcome.answered == 9


def test_an_answer_in_pieces_is_put_together():
    """An answer that arrives byte by byte is one answer."""
    body = right(0, shots()[0].request)
    pieces = [body[:20], body[20:60], body[60:]]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.05)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        outcome = run(load(listener.getsockname()[1], most_requests=1), shots()[:1])
        thread.join(2)
    assert outcome.answered == 1
    assert outcome.latencies_ns[0] > 90_000_000


def test_silence_is_an_error_within_the_timeout():
    """A server that never answers ends the run in bounded time, with an error for each connection."""
    with server(lambda *_: b"") as port:
        started = time.monotonic()
        outcome = run(load(port, connections=2, seconds=0.2, timeout_seconds=0.3), shots())
    assert time.monotonic() - started < 2
    assert outcome.answered == 0
    assert outcome.errors["no answer in time"] >= 2


def test_the_clock_sets_the_pace_of_an_open_load():
    """At 100 a second, half a second is 50 requests, however quick the server."""
    with server(right) as port:
        outcome = run(load(port, connections=4, seconds=0.5, rate=100), shots())
    assert outcome.answered == 50
    assert outcome.seconds > 0.45


def test_an_open_load_counts_the_time_in_the_queue():
    """While one slow answer blocks the only connection, later requests grow old from the time that they were due."""

    def slow_once(number, request):
        if number == 5:
            time.sleep(0.3)
        return right(number, request)

    with server(slow_once) as port:
        outcome = run(load(port, seconds=0.6, rate=100), shots())
    late = [latency for latency in outcome.latencies_ns if latency > 100_000_000]
    assert len(late) >= 15
    assert not outcome.errors


def test_the_warm_up_is_not_measured():
    """Answers of the warm-up are counted, but have no latency."""
    with server(right) as port:
        outcome = run(load(port, seconds=0.2, warm_up_seconds=0.2, rate=100), shots())
    assert outcome.answers == 40
    assert 18 <= outcome.answered <= 22


def test_a_load_without_bounds_is_refused():
    """A load must end by itself and use at least one connection."""
    for wrong in ({"seconds": 10_000}, {"connections": 0}, {"rate": -1}):
        with pytest.raises(ValueError, match="a load lasts up to"):
            run(load(1, **wrong), shots())


def test_the_program_writes_what_it_measured(tmp_path):
    """Run as a program, the generator reads its load and writes latencies and counts."""
    accounts, out = tmp_path / "accounts.txt", tmp_path / "latencies.bin"
    accounts.write_text("\n".join(ACCOUNTS), encoding="utf-8")
    with server(right) as port:
        wanted = Load(
            port=port, kind="score", accounts_file=str(accounts), connections=1, seconds=5, most_requests=9
        )
        done = subprocess.run(
            [sys.executable, "-m", "loadtests.bench.generator", str(out)],
            input=as_json(wanted), capture_output=True, text=True, cwd=ROOT, check=True, timeout=60,
        )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["answers"] == 9
    assert said["errors"] == {}
    assert out.stat().st_size == 9 * 8


def test_nobody_listening_is_an_error_at_once():
    """A port on which nobody listens is refused when the run begins."""
    with pytest.raises(OSError, match="refused"):
        run(load(free_port()), shots())
