"""The gate on the health trajectory: the probability of each class is as often right as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.promotion.gate import Gate

if TYPE_CHECKING:
    from training.limits import Limits
    from training.promotion.gate import Candidate

_NAME, _SUBJECT = "calibrated", "health trajectory"
_ERROR = "expected_calibration_error_debiased"


def trajectory_gate(candidate: Candidate, limits: Limits) -> Gate | None:
    """Refuse a trajectory of which some class is surely miscalibrated; None if the bundle has no trajectory.

    It is judged by what training reports of the test rows, also where those were not kept. Intervals hold over the
    classes together. Whether it says more than shares of the classes is another gate's matter (`of_outlook_compared`).
    """
    manifest = candidate.bundle.manifest
    if manifest.trajectory is None:
        return None
    most = limits.calibration.max_trajectory_calibration_error
    limit = f"at most {most:g} in every class"
    report: dict[str, Any] = manifest.metrics.get("trajectory", {})
    found = {name: entry.get(_ERROR) or {} for name, entry in report.get("classes", {}).items()}
    if not found or any(entry.get("low") is None for entry in found.values()):
        note = str(report.get("unmeasured", "the bundle reports no calibration of its trajectory"))
        if candidate.explanation:
            return Gate(_NAME, _SUBJECT, "-", limit, "explained", f"{note}; {candidate.explanation}")
        return Gate(
            _NAME,
            _SUBJECT,
            "-",
            limit,
            "not measured",
            f"{note}; if it may go all the same, say why with --explain",
        )
    value = ", ".join(
        f"{name} {entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"
        for name, entry in found.items()
    )
    beyond = [name for name, entry in found.items() if entry["low"] > most]
    return Gate(
        _NAME,
        _SUBJECT,
        f"calibration error {value}",
        limit,
        "refused" if beyond else "passed",
        f"surely beyond: {', '.join(beyond)}" if beyond else f"{report['rows']} test rows",
    )
