"""Gates on the health trajectory by itself: as often right as it says, and no worse than shares of the classes.

Both go by what training reports of the test rows, also where those were not kept, and are asked with or without a
champion: the first bundle has none to be held against (`of_outlook_compared`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.evaluation.bootstrap import Estimate
from training.promotion.gate import Gate, shown, signed

if TYPE_CHECKING:
    from training.limits import Limits
    from training.promotion.gate import Candidate

_CALIBRATED, _NO_WORSE, _SUBJECT = "calibrated", "not worse than shares", "health trajectory"
_ERROR, _GAIN = "expected_calibration_error_debiased", "log_loss_gain"


def trajectory_gates(candidate: Candidate, limits: Limits) -> list[Gate]:
    """Return the gates on the trajectory; none if the bundle has no trajectory.

    It is refused if some class is surely miscalibrated (intervals hold over the classes together), and if its log loss
    is surely higher than that of the class shares of training: the report has the difference row by row, with an
    interval that resamples accounts.

    Args:
        candidate: The bundle, and what it is compared with.
        limits: Limits.
    """
    manifest = candidate.bundle.manifest
    if manifest.trajectory is None:
        return []
    report: dict[str, Any] = manifest.metrics.get("trajectory", {})
    return [
        _calibrated(candidate, report, limits.calibration.max_trajectory_calibration_error),
        _against_shares(candidate, report, limits.comparison.max_trajectory_log_loss_over_shares),
    ]


def _calibrated(candidate: Candidate, report: dict[str, Any], most: float) -> Gate:
    limit = f"at most {most:g} in every class"
    told = {name: Estimate.from_dict(entry.get(_ERROR)) for name, entry in report.get("classes", {}).items()}
    found = {name: error for name, error in told.items() if error is not None}
    if not found or len(found) < len(told):
        return candidate.unreported(_CALIBRATED, _SUBJECT, report, "no calibration of its trajectory", limit)
    beyond = [name for name, error in found.items() if error.low > most]
    return Gate(
        _CALIBRATED,
        _SUBJECT,
        "calibration error " + ", ".join(f"{name} {shown(error)}" for name, error in found.items()),
        limit,
        "refused" if beyond else "passed",
        f"surely beyond: {', '.join(beyond)}" if beyond else f"{report['rows']} test rows",
    )


def _against_shares(candidate: Candidate, report: dict[str, Any], most: float) -> Gate:
    limit = f"log loss not surely over {most:+g}"
    gain = Estimate.from_dict(report.get(_GAIN))
    if gain is None:
        return candidate.unreported(_NO_WORSE, _SUBJECT, report, "no log loss of its trajectory", limit)
    over = gain.negated()
    return Gate(
        _NO_WORSE,
        _SUBJECT,
        f"log loss {signed(over)}",
        limit,
        "refused" if over.low > most else "passed",
        f"against the class shares of training, said of every account, on {report['rows']} test rows",
    )
