"""Who had left at a moment: by paid coverage and grace days, as features know it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.departed import had_left


def left(moment: str, *periods: tuple[str, str | None, bool], grace_days: int = 30) -> bool:
    """Return whether an account with *periods* (start, end, trial) had left at *moment*."""
    table = pd.DataFrame(
        {
            "account_id": ["acme"] * len(periods),
            "started_at": [start for start, _, _ in periods],
            "ended_at": [end for _, end, _ in periods],
            "is_trial": [trial for _, _, trial in periods],
        }
    )
    asked = pd.Series(pd.to_datetime([moment], utc=True))
    (found,) = had_left(np.array(["acme"], dtype=object), asked, table, grace_days=grace_days).tolist()
    return bool(found)


@pytest.mark.parametrize(
    ("moment", "gone"),
    [
        ("2026-02-09T23:59", False),
        ("2026-02-10T00:00", True),
        ("2027-01-01", True),
    ],
)
def test_it_has_left_once_features_of_the_day_before_tell_of_the_grace_days(moment: str, gone: bool) -> None:
    """Coverage ended on 10 January; 30 days later are 9 February, and a draw sees their features a day later."""
    assert left(moment, ("2025-01-01", "2026-01-10T15:00", False)) is gone


def test_an_account_that_pays_or_never_did_has_not_left() -> None:
    """A running period, one that began since, and trials alone: none of them has left."""
    assert not left("2026-06-01", ("2025-01-01", None, False))
    assert not left("2026-06-01", ("2025-01-01", "2026-01-10", False), ("2026-05-30", None, False))
    assert not left("2026-06-01", ("2025-01-01", "2025-02-01", True))
    assert left("2026-06-01", ("2025-01-01", "2026-01-10", False), ("2026-06-02", None, False))
    assert left("2026-06-01", ("2025-01-01", "2026-01-10", False), ("2026-05-30", None, True))


def test_the_last_end_counts_and_the_grace_days_are_the_definitions() -> None:
    """Of several periods the one that ended last counts; with more grace days it has not left yet."""
    periods = (("2025-01-01", "2025-06-01", False), ("2025-03-01", "2026-05-20", False))
    assert not left("2026-06-01", *periods)
    assert left("2026-06-01", *periods, grace_days=10)
