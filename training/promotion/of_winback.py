"""Gates on win-back by itself: as many come back as it says, and no worse than their rate, said of every account.

Both go by what training reports of the test rows, with or without a champion. Returns are few, so what two bundles say
of them is not compared: a whole interval lies beyond a limit only where a head is far off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.evaluation.bootstrap import Estimate, simultaneous_reach
from training.promotion.gate import Gate, shown, signed

if TYPE_CHECKING:
    from training.limits import Limits
    from training.promotion.gate import Candidate

_CALIBRATED, _NO_WORSE, _LACKS = "calibrated", "not worse than the base rate", "no figures of it"


def winback_gates(candidate: Candidate, limits: Limits) -> list[Gate]:
    """Return two gates a horizon of win-back; none if the bundle has no such head.

    A horizon is refused if the returns of the test rows over those that were expected surely lie outside
    `calibration.observed_to_expected`, and if its log loss is surely higher than that of the base rate of training.
    Intervals are widened so that those of all horizons hold together.

    Args:
        candidate: The bundle, and what it is compared with.
        limits: Limits.
    """
    manifest = candidate.bundle.manifest
    if manifest.winback is None:
        return []
    horizons = manifest.winback.head.horizons_days
    reports = manifest.metrics.get("winback", {}).get("horizons", {})
    wider = simultaneous_reach(len(horizons)) / simultaneous_reach(1)
    gates = []
    for days in horizons:
        report, subject = reports.get(f"{days}d", {}), f"win-back {days}d"
        gates.append(_calibrated(candidate, subject, report, limits, wider))
        gates.append(_against_base_rate(candidate, subject, report, limits, wider))
    return gates


def _calibrated(
    candidate: Candidate, subject: str, report: dict[str, Any], limits: Limits, wider: float
) -> Gate:
    low, high = limits.calibration.observed_to_expected
    limit = f"observed over expected within {low:g} to {high:g}"
    told = Estimate.from_dict(report.get("observed_to_expected"))
    if told is None:
        return candidate.unreported(_CALIBRATED, subject, report, _LACKS, limit)
    ratio = told.widened(wider)
    outside = ratio.low > high or ratio.high < low
    return Gate(
        _CALIBRATED,
        subject,
        f"observed over expected {shown(ratio)}",
        limit,
        "refused" if outside else "passed",
        _behind(report),
    )


def _against_base_rate(
    candidate: Candidate, subject: str, report: dict[str, Any], limits: Limits, wider: float
) -> Gate:
    most = limits.comparison.max_winback_log_loss_over_base_rate
    limit = f"log loss not surely over {most:+g}"
    gain = Estimate.from_dict(report.get("log_loss_gain", {}).get("base_rate"))
    if gain is None:
        return candidate.unreported(_NO_WORSE, subject, report, _LACKS, limit)
    over = gain.negated().widened(wider)
    return Gate(
        _NO_WORSE,
        subject,
        f"log loss {signed(over)}",
        limit,
        "refused" if over.low > most else "passed",
        f"against the base rate of training, on {_behind(report)}",
    )


def _behind(report: dict[str, Any]) -> str:
    return f"{report['rows']} test rows of {report['accounts']} accounts, {report['events']} with a return"
