"""Three kinds of users with realistic waits: a page that asks for a hint, a nightly batch, somebody reading cards.

The run fails, with exit code 1, when any request failed or the 99th percentile is over the limit. Account ids come from
the file that `keepgrow up` writes, or from `KEEPGROW_ACCOUNT_IDS`.
"""

from __future__ import annotations

import logging
import random
from typing import Any
from urllib.parse import quote

from locust import HttpUser, between, constant_pacing, events, tag, task

from loadtests.accounts import account_ids

P99_LIMIT_MS = 100
BATCH_ACCOUNTS = 500
ACCOUNTS = account_ids()
log = logging.getLogger("keepgrow.load")


def check(response: Any, field: str) -> None:  # noqa: ANN401 - Locust's response context has no public type
    """Count an answer as failed unless it is a 200 that holds *field*."""
    if response.status_code != 200:  # noqa: PLR2004
        response.failure(f"status {response.status_code}: {response.text[:200]}")
    elif field not in response.json():
        response.failure(f"the answer lacks {field!r}")


class InlineHintUser(HttpUser):
    """A product page that loads and asks for a score or for the one hint to show."""

    weight = 8
    wait_time = between(0.05, 0.5)

    @tag("score")
    @task(3)
    def score(self) -> None:
        """Score one account."""
        body = {"account_id": random.choice(ACCOUNTS)}
        with self.client.post("/v1/score", json=body, name="score 1", catch_response=True) as response:
            check(response, "churn_risk_score")

    @tag("next_best_action")
    @task(2)
    def next_best_action(self) -> None:
        """Ask for the next best action inside the product."""
        body = {"account_id": random.choice(ACCOUNTS), "surface": "in_app"}
        with self.client.post(
            "/v1/next-best-action", json=body, name="next best action", catch_response=True
        ) as answer:
            check(answer, "reason")


class BatchUser(HttpUser):
    """A job that scores accounts in blocks."""

    weight = 1
    wait_time = constant_pacing(5)

    @tag("batch")
    @task
    def score_block(self) -> None:
        """Score as many accounts as one request may name."""
        block = random.sample(ACCOUNTS, min(BATCH_ACCOUNTS, len(ACCOUNTS)))
        with self.client.post(
            "/v1/score", json={"account_ids": block}, name="score 500", catch_response=True
        ) as answer:
            check(answer, "scores")


class AccountCardUser(HttpUser):
    """Somebody of customer success who opens one account after another."""

    weight = 3
    wait_time = between(1, 4)

    @tag("card")
    @task
    def card(self) -> None:
        """Open an account card."""
        path = f"/v1/accounts/{quote(random.choice(ACCOUNTS), safe='')}"
        with self.client.get(path, name="account card", catch_response=True) as response:
            check(response, "churn_risk_score")


@events.quitting.add_listener
def judge(environment: Any, **_: Any) -> None:  # noqa: ANN401 - Locust's event signature
    """Set the exit code from the failure rate and the 99th percentile of single requests and of all."""
    total = environment.stats.total
    p99 = total.get_response_time_percentile(0.99) or 0
    if total.num_requests == 0:
        verdict = "no request was made"
    elif total.fail_ratio > 0:
        verdict = f"{total.num_failures} of {total.num_requests} requests failed"
    elif p99 > P99_LIMIT_MS:
        verdict = f"p99 is {p99:.0f} ms, over the limit of {P99_LIMIT_MS} ms"
    else:
        log.info("passed: %d requests, none failed, p99 %.0f ms", total.num_requests, p99)
        environment.process_exit_code = 0
        return
    log.error("failed: %s", verdict)
    environment.process_exit_code = 1
