"""That rows are kept for a year after the end changes no row that there was with sixty days."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from feature_repo.pipeline import frame
from tests.feature_repo.pipeline import worlds

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FIRST, LAST = 150, 260
VIEWS = ("commercial", "health")
"""Health reads rows of all other views, and looks back furthest."""


def world() -> worlds.World:
    """Return a random world in which an account left for 130 days and came back, and used the product all along."""
    made = worlds.random_world(random.Random(5), LAST)
    name = made["accounts"][0]["account_id"]
    made["subscriptions"] = [row for row in made["subscriptions"] if row["account_id"] != name]
    made["subscriptions"] += [
        {
            "subscription_id": f"back-{begin}",
            "account_id": name,
            "plan": "pro",
            "seats": 5,
            "mrr": 100.0,
            "started_at": worlds.time(begin),
            "ended_at": end and worlds.time(end),
        }
        for begin, end in ((0, 60), (190, None))
    ]
    made["usage_daily"] = [row for row in made["usage_daily"] if row["account_id"] != name]
    made["usage_daily"] += [
        {"account_id": name, "day": worlds.day(d), "metric": "logins", "value": float(d % 5)}
        for d in range(LAST)
    ]
    return made


def test_rows_of_before_are_the_same_value_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row that 60 days keep is there with 365, equal in every feature, also after a return."""
    folder = worlds.write(world(), tmp_path, LAST)
    longer = worlds.features(folder, FIRST, LAST, VIEWS)
    monkeypatch.setattr(frame, "KEEP_AFTER_END_DAYS", 60)
    shorter = worlds.features(folder, FIRST, LAST, VIEWS)
    for view in VIEWS:
        by_key = {(row["account_id"], row["event_timestamp"]): row for row in longer[view]}
        assert len(by_key) > len(shorter[view]) > LAST - FIRST
        for row in shorter[view]:
            assert by_key[row["account_id"], row["event_timestamp"]] == row
