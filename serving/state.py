"""What one process of the service holds from start to stop: settings, clock, bundle, catalogue, reader.

`load` reads files and needs no event loop; `connect` opens the store inside the loop that will use it.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from serving import metrics
from serving.bundle.loader import Bundle, load_bundle
from serving.bundle.store import find_bundle
from serving.clock import Clock, make_clock
from serving.decisions.catalogue import Catalogue, load_catalogue
from serving.decisions.framing import FrameMaker
from serving.errors import CatalogueError, StoreUnavailable
from serving.features.reader import OnlineReader

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import ServingSettings

log = structlog.get_logger("keepgrow.state")


@dataclass(slots=True)
class ServingState:
    """The parts that answer requests.

    Attributes:
        settings: As the process was started.
        clock: The service's time.
        bundle: The model that is served.
        catalogue: Plans and actions.
        reader: Reads features; opened by `connect`.
        frames: Makes decision frames.
        in_flight: Requests being worked on.
    """

    settings: ServingSettings
    clock: Clock
    bundle: Bundle
    catalogue: Catalogue
    reader: OnlineReader
    frames: FrameMaker
    in_flight: int = 0
    _started: bool = field(default=False)

    @classmethod
    def load(cls, settings: ServingSettings, bundle_path: Path | None = None) -> ServingState:
        """Read bundle and catalogue, and check them against each other.

        Args:
            settings: The process's settings.
            bundle_path: Folder of the bundle; without it the settings' tag is looked up in the model store.

        Raises:
            ServingError: Something can't be read or does not fit.
        """
        bundle = load_bundle(bundle_path or find_bundle(settings.model))
        catalogue = load_catalogue(settings.catalogue)
        check_conditions(catalogue, bundle)
        reader = OnlineReader(bundle.manifest, settings.redis_url)
        return cls(
            settings=settings,
            clock=make_clock(settings.clock_start),
            bundle=bundle,
            catalogue=catalogue,
            reader=reader,
            frames=FrameMaker(bundle.manifest),
        )

    async def connect(self) -> None:
        """Warm up, open the store and check what it holds against the bundle's contract.

        A store that does not answer is no reason not to start: the service is then not ready until it does.

        Raises:
            ServingError: The store holds something else than the contract says.
        """
        self.bundle.warm_up()
        try:
            await self.reader.check_store(self.settings.redis_timeout_seconds)
        except StoreUnavailable as error:
            log.warning("store_unavailable_at_start", reason=str(error))
        metrics.BUNDLE.labels(self.bundle.tag, self.bundle.manifest.contract_hash, self.catalogue.hash).set(1)
        gc.collect()
        gc.freeze()
        self._started = True
        log.info(
            "started",
            model=self.bundle.tag,
            feature_contract=self.bundle.manifest.contract_hash,
            catalogue=self.catalogue.hash,
            clock=self.clock.label or "machine",
        )

    async def close(self) -> None:
        """Close the connection to the store."""
        self._started = False
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


def check_conditions(catalogue: Catalogue, bundle: Bundle) -> None:
    """Refuse a catalogue whose actions speak of features that the bundle's contract lacks.

    Raises:
        CatalogueError: With every action and feature that does not fit.
    """
    known = {feature.name for feature in bundle.manifest.contract.features if feature.dtype != "String"}
    known |= {
        f"{head.name}_probability_{days}d" for head in bundle.manifest.heads for days in head.horizons_days
    }
    faults = [
        f"action {action.key!r} has a condition on {condition.feature!r}"
        for action in catalogue.actions
        for condition in (*action.requires.all, *action.requires.any)
        if condition.feature not in known
    ]
    if faults:
        raise CatalogueError(
            f"catalogue {catalogue.name!r}: {'; '.join(faults)}, which is no number in the feature contract "
            f"of {bundle.tag} and none of its probabilities"
        )
