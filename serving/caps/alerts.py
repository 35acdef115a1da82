"""Says that a cap of several accounts comes near its limit: once at each level, whoever's reservation crosses it.

What was used before a reservation comes from the script that reserved, so of any number at once one has crossed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from serving import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serving.decisions.caps import Use

log = structlog.get_logger("keepgrow.caps")

ALERT_PERCENT: Final = (60, 80, 100)


def alert(reserved: Iterable[Use], before: Mapping[str, int]) -> None:
    """Count and log each level of a cap's limit that a reservation has come to.

    Args:
        reserved: What it uses. Caps that count each account apart, and caps of nothing, have no levels.
        before: What was used before it, by key, in whole units.
    """
    for use in reserved:
        limit = use.cap.limit_units
        if "account" in use.cap.per or limit <= 0:
            continue
        was, now = before[use.key], before[use.key] + use.amount
        for percent in ALERT_PERCENT:
            if was * 100 < percent * limit <= now * 100:
                metrics.cap_alerts(use.cap.id, str(percent)).inc()
                log.warning(
                    "cap_nears_limit", cap=use.cap.id, counted=use.key, percent=percent, used=now, limit=limit
                )
