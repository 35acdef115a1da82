"""An open-model run: requests leave by the clock, whether or not earlier ones were answered, ever faster.

It finds the highest rate at which the 99th percentile stays under the limit and nothing fails. A request's time
counts from when it was due, so waiting in a queue is seen, wherever the queue stands. Each rate is a line of
Locust's report:
`locust -f loadtests/ramp.py --headless --users 1 --host http://127.0.0.1:3000 --html build/ramp.html`
"""

from __future__ import annotations

import json
import logging
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, events, task
from locust.exception import StopUser

from loadtests.accounts import account_ids
from loadtests.rate_search import Step, highest_held, judge, next_rate

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment

MOST_UNDER_WAY: Final = 256
SETTLE_SECONDS: Final = 1.0
BUSY: Final = 0.85
OK: Final = 200
ACCOUNTS: Final = account_ids()
log = logging.getLogger("keepgrow.ramp")


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--first-rate", type=float, default=50.0, help="Requests a second to begin with")
    parser.add_argument("--most-rate", type=float, default=5000.0, help="Requests a second not to exceed")
    parser.add_argument("--step-seconds", type=float, default=8.0, help="How long each rate lasts")
    parser.add_argument("--p99-limit", type=float, default=20.0, help="Limit of the 99th percentile, in ms")
    parser.add_argument("--ramp-out", default="build/ramp.json", help="File for the result as JSON")


class ArrivalsByTheClock(FastHttpUser):  # type: ignore[misc] # Locust brings no types
    """Everybody's requests together, as they arrive."""

    concurrency = MOST_UNDER_WAY
    connection_timeout = 5.0
    network_timeout = 5.0
    default_headers = {"content-type": "application/json"}  # noqa: RUF012 - Locust declares it so

    @task  # type: ignore[untyped-decorator]
    def ramp(self) -> None:
        """Try one rate after another until the search is over, then end the run."""
        options = self.environment.parsed_options
        steps: list[Step] = []
        self._arrive(options.first_rate, 2.0, "warm-up")
        while rate := next_rate(steps, first=options.first_rate, most=options.most_rate):
            for last_try in (False, True):  # one bad moment of the machine is not the service's limit
                step = self._try(rate, options.step_seconds, options.p99_limit)
                log.info(describe(step))
                if step.held or last_try:
                    break
            steps.append(step)
            gevent.sleep(SETTLE_SECONDS)
        finish(self.environment, steps)
        self.environment.runner.quit()
        raise StopUser

    def _try(self, rate: float, seconds: float, limit_ms: float) -> Step:
        started, used = time.perf_counter(), time.process_time()
        latencies, errors = self._arrive(rate, seconds, f"score 1, {rate:6.0f}/s")
        busy = (time.process_time() - used) / (time.perf_counter() - started)
        return judge(rate, latencies, errors, busy, limit_ms=limit_ms)

    def _arrive(self, rate: float, seconds: float, name: str) -> tuple[list[float], int]:
        """Send *rate* requests a second; return the milliseconds of those answered, and how many failed."""
        latencies: list[float] = []
        failed: list[str] = []
        pool = Pool(MOST_UNDER_WAY)
        start = time.perf_counter()
        for number in range(int(rate * seconds)):
            due = start + number / rate
            ahead = due - time.perf_counter()
            if ahead > 0:
                gevent.sleep(ahead)
            elif ahead < -1.0:
                failed.append("a second behind")
                break
            pool.spawn(self._ask, due, name, latencies, failed)
        pool.join(timeout=2 * self.network_timeout)
        return latencies, len(failed)

    def _ask(self, due: float, name: str, latencies: list[float], failed: list[str]) -> None:
        account = random.choice(ACCOUNTS)
        body = json.dumps({"account_id": account})
        with self.client.post("/v1/score", data=body, name=name, catch_response=True) as response:
            milliseconds = (time.perf_counter() - due) * 1e3
            response.request_meta["response_time"] = milliseconds
            fault = wrong(response, account)
            if fault:
                response.failure(fault)
                failed.append(fault)
            else:
                latencies.append(milliseconds)


def wrong(response: Any, account: str) -> str | None:  # noqa: ANN401 - Locust's response context has no public type
    """Return what is wrong with an answer, or None."""
    if response.status_code != OK:
        return f"status {response.status_code}"
    return None if json.dumps(account) in response.text else "another account's answer"


def describe(step: Step) -> str:
    """Return a step in a line."""
    verdict = "held" if step.held else "NOT HELD"
    limited = "; the load generator itself is at its limit" if step.busy_ratio > BUSY else ""
    return (
        f"{step.rate:6.0f}/s: p50 {step.p50_ms:6.1f} ms, p99 {step.p99_ms:7.1f} ms, "
        f"{step.errors} of {step.requests} failed, generator {step.busy_ratio:.0%} busy: {verdict}{limited}"
    )


def finish(environment: Environment, steps: list[Step]) -> None:
    """Say which rate was the highest, write the file, and set the exit code: 1 if no rate was held."""
    options = environment.parsed_options
    best = highest_held(steps)
    result = {
        "highest_rate": best.rate if best else None,
        "p99_limit_ms": options.p99_limit,
        "steps": [asdict(step) for step in steps],
    }
    out = Path(options.ramp_out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if best is None:
        log.error(
            "not even %.0f requests/s are answered within %.0f ms", options.first_rate, options.p99_limit
        )
    else:
        log.info("highest rate held: %.0f requests/s (p99 %.1f ms, no errors)", best.rate, best.p99_ms)
    environment.process_exit_code = 0 if best else 1
