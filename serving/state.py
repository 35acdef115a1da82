"""What one process of the service holds from start to stop: settings, clock, bundle, catalogue, reader, ledger.

`load` reads files and needs no event loop; `connect` opens the store inside the loop that will use it.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from serving import answers, metrics
from serving.actions.capped import AppliedCaps
from serving.actions.worker import OutboxWorker, make_worker
from serving.allocator import keep_freed_memory
from serving.bundle.loader import Bundle, load_bundle
from serving.caps.keeper import CapKeeper
from serving.caps.store import CapStore
from serving.caps.sweeper import Sweeper
from serving.clock import Clock, make_clock
from serving.configured import bundle_to_serve, fitting_playbooks, fitting_policy
from serving.decisions.catalogue import Catalogue, load_catalogue
from serving.decisions.framing import FrameMaker
from serving.decisions.next_best_action import decide
from serving.earlier_scores import EarlierScores
from serving.errors import LedgerUnavailable, StoreUnavailable, UnknownAccount
from serving.features.client import make_link
from serving.features.reader import OnlineReader
from serving.ledger.autonomy import Levels
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.documents import documents_of
from serving.ledger.entry import prepare
from serving.ledger.ledger import Ledger
from serving.ledger.rejections import Rejections
from serving.scoring.engine import score_rows
from serving.scoring.verification.compiled import verified_by
from serving.together import Together

if TYPE_CHECKING:
    from pathlib import Path

    from serving.answers import ScoredAccount, Wanted
    from serving.decisions.policy.compiled import Policy
    from serving.settings import ServingSettings
    from serving.triggers.compiled import Playbooks

log = structlog.get_logger("keepgrow.state")

BULK_REQUESTS: Final = 2
"""Requests for several accounts that are worked on at once; each keeps the event loop for 1 ms at a time."""
WARM_UP_PART: Final = 8
GC_THRESHOLDS: Final = (10_000, 20, 20)
"""A request for 500 accounts makes some 10,000 objects that live as long as it; what it leaves is no cycle."""
GRAPH_THREADS: Final = 1
"""Threads that run the graph for requests of several accounts; single accounts run it in the event loop. With
two, such a request is no faster on two cores, and the event loop waits for a core."""
GRAPH_NICENESS: Final = 5


def _give_way() -> None:
    """Let the event loop go before this thread where there are more threads than cores."""
    if sys.platform == "linux":  # elsewhere priorities are of processes only
        niceness = min(19, os.getpriority(os.PRIO_PROCESS, 0) + GRAPH_NICENESS)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


@dataclass(slots=True)
class ServingState:
    """The parts that answer requests.

    Attributes:
        settings: As the process was started.
        clock: The service's time.
        bundle: The model that is served.
        catalogue: Plans and actions.
        policy: Rules that every action must pass.
        playbooks: Triggers and the workflows that they start.
        reader: Reads features; opened by `connect`.
        frames: Makes decision frames.
        ledger: Records decisions, actions and outcomes; opened by `connect`.
        rejections: Knows what accounts have rejected.
        levels: Knows how far actions have come on the ladder of autonomy.
        caps: Counts what frequency caps and budgets allow.
        sweeper: Gives back what was reserved of caps and not shown; begins with `connect`.
        applied_caps: Counts what applied actions use of caps.
        earlier_scores: Scores of 30 days ago, for trends; it connects when one is asked for.
        outbox: Sends the effects of actions; begins with `connect`.
        in_flight: Requests being worked on.
        scoring: Scores single accounts, by what is wanted of them.
        threads: Runs the graph for requests of several accounts.
        bulk_in_flight: Requests for several accounts, or exact reasons, that are worked on or wait.
        bulk_limit: Bounds how many are worked on.
        trigger_runs: Runs of triggers that requests have asked for and that go on.
    """

    settings: ServingSettings
    clock: Clock
    bundle: Bundle
    catalogue: Catalogue
    policy: Policy
    playbooks: Playbooks
    reader: OnlineReader
    frames: FrameMaker
    ledger: Ledger
    rejections: Rejections = field(init=False)
    levels: Levels = field(init=False)
    caps: CapKeeper = field(init=False)
    sweeper: Sweeper = field(init=False)
    applied_caps: AppliedCaps = field(init=False)
    earlier_scores: EarlierScores = field(init=False)
    outbox: OutboxWorker = field(init=False)
    in_flight: int = 0
    scoring: dict[Wanted, Together[ScoredAccount]] = field(init=False)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(
            GRAPH_THREADS, thread_name_prefix="graph", initializer=_give_way
        )
    )
    bulk_in_flight: int = 0
    trigger_runs: int = 0
    bulk_limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(BULK_REQUESTS))
    _started: bool = field(default=False)

    def __post_init__(self) -> None:
        """Set up what gathers requests."""
        self.rejections = Rejections(self.ledger)
        self.levels = Levels(self.ledger)
        cap_store = CapStore(make_link(self.settings.redis_url))
        self.caps = CapKeeper(
            cap_store,
            self.policy.document,
            self.catalogue,
            self.settings.redis_timeout_seconds,
        )
        self.sweeper = Sweeper(self.caps, self.clock.now)
        self.applied_caps = AppliedCaps(cap_store, self.policy.document, self.settings.redis_timeout_seconds)
        self.earlier_scores = EarlierScores(make_link(self.settings.redis_url))
        self.outbox = make_worker(self.settings, self.ledger, self.clock.now)
        self.scoring = {}
        for wanted in (answers.SCORE, answers.DECISION, answers.CARD):
            ask = functools.partial(answers.score_together, self, wanted=wanted)
            self.scoring[wanted] = Together(ask, (StoreUnavailable,), self.reader.holder)

    @classmethod
    def load(cls, settings: ServingSettings, bundle_path: Path | None = None) -> ServingState:
        """Read bundle, catalogue and policy, and check them against each other.

        Args:
            settings: The process's settings.
            bundle_path: Folder of the bundle; without it the settings' tag is looked up in the model store.

        Raises:
            ServingError: Something can't be read or does not fit.
        """
        bundle = load_bundle(bundle_path or bundle_to_serve(settings.model))
        bundle = verified_by(settings.verification, bundle)
        catalogue = load_catalogue(settings.catalogue)
        policy = fitting_policy(settings.policy, catalogue, bundle)
        playbooks = fitting_playbooks(settings.playbooks, catalogue, bundle)
        reader = OnlineReader(bundle.manifest, settings.redis_url)
        return cls(
            settings=settings,
            clock=make_clock(settings.clock_start),
            bundle=bundle,
            catalogue=catalogue,
            policy=policy,
            playbooks=playbooks,
            reader=reader,
            frames=FrameMaker(bundle.manifest),
            ledger=Ledger(
                settings.ledger_url,
                documents_of(policy.document, catalogue, bundle.manifest.contract.model_dump(mode="json")),
                timeout_seconds=settings.ledger_timeout_seconds,
                sync=settings.ledger_sync,
            ),
        )

    async def connect(self) -> None:
        """Warm up, open the store and check what it holds against the bundle's contract.

        A store that does not answer is no reason not to start: the service is then not ready until it does. Neither
        is a ledger: until it answers there are scores, but no decisions.

        Raises:
            ServingError: The store holds something else than the contract says, or the ledger other tables.
        """
        keep_freed_memory()
        self.bundle.warm_up()
        try:
            await self.ledger.open()
        except LedgerUnavailable as error:
            log.warning("ledger_unavailable_at_start", ledger=str(self.ledger.database), reason=str(error))
        try:
            await self._replay(await self.reader.check_store(self.settings.redis_timeout_seconds))
        except StoreUnavailable as error:
            log.warning("store_unavailable_at_start", reason=str(error))
        self.outbox.start()
        self.sweeper.start()
        metrics.BUNDLE.labels(self.bundle.tag, self.bundle.manifest.contract_hash, self.catalogue.hash).set(1)
        gc.set_threshold(*GC_THRESHOLDS)
        gc.collect()
        gc.freeze()
        self._started = True
        log.info(
            "started",
            model=self.bundle.tag,
            feature_contract=self.bundle.manifest.contract_hash,
            catalogue=self.catalogue.hash,
            policy=self.policy.hash,
            clock=self.clock.label or "machine",
        )

    async def _replay(self, account_ids: list[str]) -> None:
        """Answer requests about accounts of the store, uncounted.

        So the first caller waits for no first time: of a connection, a code path, a sentence, a policy.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        parts = [account_ids[:WARM_UP_PART], *([account_id] for account_id in account_ids), account_ids]
        for part in parts:
            rows = await self.reader.read(part, self.settings.redis_timeout_seconds)
            now = self.clock.now()
            everything = score_rows(
                rows, self.bundle, now, self.clock.label, signals=True, intervals=True, outlook=True
            )
            for index, result in enumerate(everything):
                if not isinstance(result, UnknownAccount):
                    orjson.dumps(result.to_json_value())
                    frame = self.frames.frame(rows, index, result, now=now)
                    decision = decide(frame, self.catalogue, self.policy)
                    prepare(decision_entry(frame, decision.decision_id, answer_json(decision)))

    async def close(self) -> None:
        """Close the connections to store and ledger."""
        self._started = False
        self.threads.shutdown(wait=False)
        await self.sweeper.stop()
        await self.caps.close()
        await self.outbox.stop()
        await self.ledger.close()
        await self.earlier_scores.close()
        await self.reader.close()

    async def unready_because(self) -> str | None:
        """Return why the process should get no requests now, or None if it should."""
        if not self._started:
            return "The service is starting."
        try:
            await self.reader.ping(self.settings.redis_timeout_seconds)
        except StoreUnavailable:
            return "The online store does not answer."
        return None
