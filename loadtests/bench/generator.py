"""The load generator: one thread on `select`, in a process of its own, bounded, on loopback.

`select` takes its timeout in microseconds, where event loops round theirs up to milliseconds, and nothing but
the kernel stands between the clock and the socket. Run as a program it reads a `Load` as JSON from standard
input, writes the latencies to a file and the rest of the `Outcome` as JSON to standard output.
"""

from __future__ import annotations

import gc
import json
import select
import sys
import time
from array import array
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from loadtests.bench.wire import Wire
from loadtests.bench.workload import Kind, Shot, make_shots

NS: Final = 1_000_000_000
HOST: Final = "127.0.0.1"
_DIFFERENT_REQUESTS: Final = 20_000
_DIFFERENT_BULK_REQUESTS: Final = 40
_LOOK_UP_EVERY_SECONDS: Final = 0.05
_MOST_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Load:
    """What to send.

    Attributes:
        port: Port on loopback.
        kind: Kind of request.
        accounts_file: File of account ids, one a line.
        connections: Connections, each with at most one request under way.
        seconds: How long to measure.
        warm_up_seconds: How long to send before that without measuring.
        rate: Requests a second, sent by the clock (open model); 0 sends each as soon as a connection is free
            (closed model).
        most_requests: Stop after so many, whatever the time.
        timeout_seconds: An answer that takes longer is an error.
        seed: Of the choice of accounts.
    """

    port: int
    kind: Kind
    accounts_file: str
    connections: int
    seconds: float
    warm_up_seconds: float = 0.0
    rate: float = 0.0
    most_requests: int = 5_000_000
    timeout_seconds: float = 10.0
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Attributes:
        seconds: From the end of the warm-up to the last answer.
        latencies_ns: Of each right answer; from the time it was due (open model) or sent (closed model).
        errors: Number of failed requests by what went wrong.
        answers: Number of all answers, right or wrong, those of the warm-up among them.
        cpu_seconds: Processor time of the generator while it measured.
        late_ns: By how much each request was sent after it was due (open model).
    """

    seconds: float = 0.0
    latencies_ns: array[int] = field(default_factory=lambda: array("q"))
    errors: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    cpu_seconds: float = 0.0
    late_ns: array[int] = field(default_factory=lambda: array("q"))

    @property
    def answered(self) -> int:
        """Number of right answers."""
        return len(self.latencies_ns)


def run(load: Load, shots: list[Shot]) -> Outcome:
    """Send *load* made of *shots*, gone round in order, and return what came of it.

    Raises:
        ValueError: The load has no bound or no connection.
        OSError: Nobody listens on the port.
    """
    if not 0 < load.seconds + load.warm_up_seconds <= _MOST_SECONDS or load.connections < 1 or load.rate < 0:
        raise ValueError(f"a load lasts up to {_MOST_SECONDS:.0f} s on one connection or more, not {load}")
    return _Run(load, shots).run()


class _Run:
    """One run; mutable, because it is a loop over a clock and sockets."""

    def __init__(self, load: Load, shots: list[Shot]) -> None:
        self._load = load
        self._shots = shots
        self._next_shot = 0
        self._wires = [Wire(HOST, load.port) for _ in range(load.connections)]
        self._idle = deque(self._wires)
        self._outcome = Outcome()
        self._overdue: deque[int] = deque()  # due times that found no free connection (open model)
        self._sent = self._scheduled = 0
        self._start = self._measure_from = self._end = self._last_ns = 0

    def run(self) -> Outcome:
        load = self._load
        start = self._start = swept = time.perf_counter_ns()
        self._measure_from = start + int(load.warm_up_seconds * NS)
        self._end = self._measure_from + int(load.seconds * NS)
        self._last_ns = self._measure_from
        cpu_before = -1.0
        pace = self._pace_by_clock if load.rate else self._pace_by_answers
        give_up = self._end + int(load.timeout_seconds * NS)
        while (now := time.perf_counter_ns()) < give_up:
            if cpu_before < 0 and now >= self._measure_from:
                cpu_before = time.process_time()
            wait = pace(now)
            if wait is None and len(self._idle) == len(self._wires):
                break
            limit = _LOOK_UP_EVERY_SECONDS if wait is None else min(wait, _LOOK_UP_EVERY_SECONDS)
            readable, _, _ = select.select(self._wires, (), (), limit)
            for wire in readable:
                self._receive(wire)
            if now - swept > _LOOK_UP_EVERY_SECONDS * NS:
                swept = now
                self._drop_hanging(now)
        return self._finish(cpu_before)

    def _pace_by_clock(self, now: int) -> float | None:
        """Send what is due; return the seconds until there is more to send, None if that was all."""
        load, interval = self._load, NS / self._load.rate
        due = self._start + int(self._scheduled * interval)
        while due <= now and due < self._end and self._scheduled < load.most_requests:
            self._overdue.append(due)
            self._scheduled += 1
            due = self._start + int(self._scheduled * interval)
        while self._overdue and self._idle:
            self._send(self._overdue.popleft(), now)
        if due < self._end and self._scheduled < load.most_requests:
            return (due - now) / NS if due > now else 0.0
        return _LOOK_UP_EVERY_SECONDS if self._overdue else None

    def _pace_by_answers(self, now: int) -> float | None:
        """Send on every free connection; return the seconds to wait, None if no more is to be sent."""
        most = self._load.most_requests
        if now >= self._end:
            return None
        while self._idle and self._sent < most:
            self._send(now, now)
        return _LOOK_UP_EVERY_SECONDS if self._sent < most else None

    def _send(self, due: int, now: int) -> None:
        wire = self._idle.popleft()
        shot = self._shots[self._next_shot % len(self._shots)]
        self._next_shot += 1
        self._sent += 1
        if not wire.send(shot, due, now):  # an idle connection that the server closed may be replaced once
            wire.send(shot, due, now)

    def _receive(self, wire: Wire) -> None:
        if wire.shot is None:
            wire.reopen()  # the server closed an idle connection
            return
        verdict = wire.receive()
        if verdict is None:
            return
        now = time.perf_counter_ns()
        self._idle.append(wire)
        self._outcome.answers += 1
        if wire.due_ns < self._measure_from:
            return
        self._last_ns = now
        if verdict == "ok":
            self._outcome.latencies_ns.append(now - wire.due_ns)
            if self._load.rate:
                self._outcome.late_ns.append(wire.sent_ns - wire.due_ns)
        else:
            self._outcome.errors[verdict] += 1

    def _drop_hanging(self, now: int) -> None:
        limit = int(self._load.timeout_seconds * NS)
        for wire in self._wires:
            if wire.shot is not None and now - wire.sent_ns > limit:
                wire.reopen()
                self._idle.append(wire)
                self._outcome.errors["no answer in time"] += 1

    def _finish(self, cpu_before: float) -> Outcome:
        outcome = self._outcome
        outcome.cpu_seconds = time.process_time() - max(cpu_before, 0.0)
        unanswered = len(self._wires) - len(self._idle) + len(self._overdue)
        if unanswered:
            outcome.errors["no answer in time"] += unanswered
        outcome.seconds = max(self._last_ns - self._measure_from, 1) / NS
        for wire in self._wires:
            wire.close()
        return outcome


def load_shots(load: Load) -> list[Shot]:
    """Return the requests that *load* describes, made from its file of account ids."""
    accounts = Path(load.accounts_file).read_text(encoding="utf-8").split()
    count = _DIFFERENT_BULK_REQUESTS if load.kind == "score_many" else _DIFFERENT_REQUESTS
    return make_shots(load.kind, accounts, count, load.seed)


def main(latencies_file: str) -> None:
    """Read a load from standard input, run it, and write the outcome."""
    load = Load(**json.load(sys.stdin))
    shots = load_shots(load)
    gc.collect()
    gc.freeze()
    gc.disable()  # nothing here makes cycles, and a collection would be measured as latency
    outcome = run(load, shots)
    with Path(latencies_file).open("wb") as file:
        outcome.latencies_ns.tofile(file)
    late = sorted(outcome.late_ns)
    json.dump(
        {
            "seconds": outcome.seconds,
            "errors": dict(outcome.errors),
            "answers": outcome.answers,
            "cpu_seconds": outcome.cpu_seconds,
            "late_p99_ms": late[int(len(late) * 0.99)] / 1e6 if late else 0.0,
        },
        sys.stdout,
    )


def as_json(load: Load) -> str:
    """Return *load* as the program reads it."""
    return json.dumps(asdict(load))


if __name__ == "__main__":
    main(sys.argv[1])
