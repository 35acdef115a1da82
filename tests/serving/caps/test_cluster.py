"""Caps on a Cluster: one script still sees all of them, whichever node is named first."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from serving.caps.store import CapStore, Reservation
from serving.decisions.caps import Cap, Use
from serving.features.client import make_link
from tests.faults.stores import cluster, cluster_url

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


async def test_caps_of_several_accounts_are_counted_together(tmp_path: Path) -> None:
    """Reservations through each of three nodes share one count; the fourth is refused."""
    company = Use(Cap(id="company", per=(), limit=3, window_days=7), "company", 1)
    with cluster(tmp_path) as nodes:
        granted = []
        for number, port in enumerate([*nodes, next(iter(nodes))]):
            store = CapStore(make_link(cluster_url([port])))
            own = Use(Cap(id="own", limit=1, window_days=7), f"own|account-{number}", 1)
            asked = Reservation(f"r{number}", f"account-{number}", "guide", None, (company, own), NOW, 60)
            granted.append((await store.reserve(asked, NOW, 5)).granted)
            await store.close()
    assert granted == [True, True, True, False]
