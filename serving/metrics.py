"""What the service counts about itself, for Prometheus; every label takes a small, fixed set of values.

With several workers (BentoML sets `PROMETHEUS_MULTIPROC_DIR`) the values of all are added up when read. The
client's own way writes each observation through to a file at once, which is a tenth of a request; here a
request adds to plain lists (`serving/metrics_buffer.py`), which reach the files every 50 ms.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from serving.metrics_buffer import FLUSH_SECONDS, BufferedCounter, BufferedGauge, BufferedHistogram, flush
from serving.metrics_folder import use_own_metrics_folder

use_own_metrics_folder()  # before the first metric opens its file

LATENCY_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
AGE_BUCKETS = tuple(hours * 3600.0 for hours in (1, 6, 12, 24, 36, 48, 72, 120, 168, 336))

REQUEST_SECONDS = Histogram(
    "keepgrow_http_request_duration_seconds",
    "Time from the request's first byte to the answer's last, by endpoint and outcome.",
    ("endpoint", "outcome"),
    buckets=LATENCY_BUCKETS,
)
STORE_SECONDS = Histogram(
    "keepgrow_store_read_duration_seconds",
    "Time of one read of the online store, by outcome.",
    ("outcome",),
    buckets=LATENCY_BUCKETS,
)
MODEL_SECONDS = BufferedHistogram(
    Histogram(
        "keepgrow_scoring_duration_seconds",
        "Time to turn the features of one request into scores: graph, tiers, signals.",
        buckets=LATENCY_BUCKETS,
    ),
    LATENCY_BUCKETS,
)
COMMIT_SECONDS = BufferedHistogram(
    Histogram(
        "keepgrow_decision_commit_duration_seconds",
        "Time until the ledger has a decision, waiting for the group that it is written with included.",
        buckets=LATENCY_BUCKETS,
    ),
    LATENCY_BUCKETS,
)
EXACT_REASONS_SECONDS = Histogram(
    "keepgrow_exact_reasons_duration_seconds",
    "Time to score the accounts of one request with exact reasons, waiting for the thread included.",
    buckets=LATENCY_BUCKETS,
)
FEATURE_AGE_SECONDS = Histogram(
    "keepgrow_feature_age_seconds",
    "Age of a feature view's row when it was scored; of a request with many accounts, the oldest.",
    ("view",),
    buckets=AGE_BUCKETS,
)
SCORES = Counter("keepgrow_scores_total", "Accounts scored, by status of the evidence.", ("evidence",))
DECISIONS = Counter(
    "keepgrow_decisions_total", "Decisions made, by whether an action was proposed.", ("outcome",)
)
CAP_ALERTS = Counter(
    "keepgrow_cap_alerts_total",
    "Times that a cap of several accounts came to 60, 80 or 100 percent of its limit.",
    ("cap", "percent"),
)
TRIGGERS = Counter(
    "keepgrow_triggers_total",
    "Accounts for which a trigger fired, and what came of the steps of its workflows.",
    ("trigger", "outcome"),
)
OUTBOX_DELIVERIES = Counter(
    "keepgrow_outbox_deliveries_total",
    "Attempts to bring an effect to a target: delivered, retried (it will be tried again), dead (given up).",
    ("target", "outcome"),
)
OUTBOX_EVENTS = Gauge(
    "keepgrow_outbox_events",
    "Effects in the outbox: pending (due, not taken yet), scheduled (not due yet), dead (given up).",
    ("target", "state"),
    multiprocess_mode="mostrecent",
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "keepgrow_outbox_oldest_pending_seconds",
    "For how long the oldest pending effect has been due; 0 if none is.",
    ("target",),
    multiprocess_mode="mostrecent",
)
SIMULATIONS = Counter(
    "keepgrow_simulations_total", "Simulations asked for, by whether the action was valid.", ("outcome",)
)
APPLIES = Counter("keepgrow_applies_total", "Actions asked to be applied, by what came of it.", ("outcome",))
ROLLBACKS = Counter("keepgrow_rollbacks_total", "Undoings asked for, by what came of it.", ("outcome",))
IN_FLIGHT = BufferedGauge(
    Gauge("keepgrow_requests_in_flight", "Requests being worked on.", multiprocess_mode="livesum")
)
BUNDLE = Gauge(
    "keepgrow_bundle_info",
    "1 for the bundle, feature contract and catalogue that are served.",
    ("model", "feature_contract", "catalogue"),
    multiprocess_mode="max",
)

CONTENT_TYPE = CONTENT_TYPE_LATEST


@lru_cache(maxsize=512)
def request_seconds(endpoint: str, outcome: str) -> BufferedHistogram:
    """Return the child of `REQUEST_SECONDS` with these labels; a look-up costs more than observing."""
    return BufferedHistogram(REQUEST_SECONDS.labels(endpoint, outcome), LATENCY_BUCKETS)


@lru_cache(maxsize=16)
def store_seconds(outcome: str) -> BufferedHistogram:
    """Return the child of `STORE_SECONDS` with this outcome."""
    return BufferedHistogram(STORE_SECONDS.labels(outcome), LATENCY_BUCKETS)


@lru_cache(maxsize=64)
def feature_age(view: str) -> BufferedHistogram:
    """Return the child of `FEATURE_AGE_SECONDS` of this view."""
    return BufferedHistogram(FEATURE_AGE_SECONDS.labels(view), AGE_BUCKETS)


@lru_cache(maxsize=8)
def scores(evidence: str) -> BufferedCounter:
    """Return the child of `SCORES` with this status of evidence."""
    return BufferedCounter(SCORES.labels(evidence))


@lru_cache(maxsize=8)
def decisions(outcome: str) -> BufferedCounter:
    """Return the child of `DECISIONS` with this outcome."""
    return BufferedCounter(DECISIONS.labels(outcome))


@lru_cache(maxsize=256)
def cap_alerts(cap: str, percent: str) -> BufferedCounter:
    """Return the child of `CAP_ALERTS` of this cap and level."""
    return BufferedCounter(CAP_ALERTS.labels(cap, percent))


@lru_cache(maxsize=256)
def triggers(trigger: str, outcome: str) -> BufferedCounter:
    """Return the child of `TRIGGERS` of this trigger and outcome."""
    return BufferedCounter(TRIGGERS.labels(trigger, outcome))


@lru_cache(maxsize=256)
def outbox_deliveries(target: str, outcome: str) -> BufferedCounter:
    """Return the child of `OUTBOX_DELIVERIES` of this target and outcome."""
    return BufferedCounter(OUTBOX_DELIVERIES.labels(target, outcome))


@lru_cache(maxsize=16)
def simulations(outcome: str) -> BufferedCounter:
    """Return the child of `SIMULATIONS` with this outcome."""
    return BufferedCounter(SIMULATIONS.labels(outcome))


@lru_cache(maxsize=16)
def applies(outcome: str) -> BufferedCounter:
    """Return the child of `APPLIES` with this outcome."""
    return BufferedCounter(APPLIES.labels(outcome))


@lru_cache(maxsize=16)
def rollbacks(outcome: str) -> BufferedCounter:
    """Return the child of `ROLLBACKS` with this outcome."""
    return BufferedCounter(ROLLBACKS.labels(outcome))


async def exposition() -> bytes:
    """Return all metrics in Prometheus' text format, those of all workers added up.

    Whatever was answered before the call is in it, whichever worker answered: the others get the time to
    write what they hold back.
    """
    flush()
    if values.ValueClass is values.MutexValue:  # decided when the client was imported, not by the variable
        return generate_latest(REGISTRY)
    await asyncio.sleep(2 * FLUSH_SECONDS)
    flush()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
