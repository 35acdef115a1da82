"""May a bundle become the champion? Every gate with its value, its limit and its verdict.

A gate that can't be measured is not passed. The limits live in `gates.yaml`; `keepgrow promote` prints what comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.errors import DatasetError
from training.promotion.gate import Candidate, Gate, judged_heads
from training.promotion.of_bundles import comparison_gate, outlook_speed_gate, parity_gate, speed_gate
from training.promotion.of_rows import (
    calibration_gates,
    fairness_gate,
    interval_gate,
    leakage_gate,
    suspicion_gate,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.limits import Limits
    from training.promotion.gate import JudgedHead

__all__ = ["Candidate", "Gate", "judge"]


def judge(candidate: Candidate, limits: Limits, clock: Callable[[], float]) -> tuple[Gate, ...]:
    """Return every gate, in the order in which they are shown.

    Args:
        candidate: The bundle, and what it is compared with.
        limits: Limits.
        clock: Returns seconds, for timing the graphs.
    """
    scored = [(head.name, _days(candidate, head.horizons_days)) for head in candidate.bundle.manifest.heads]
    gates: list[Gate] = []
    for head, days in scored:
        gates.append(comparison_gate(candidate, head, days, limits))
    judged: dict[str, JudgedHead] = {}
    problem = "its test rows were not kept beside the model store; train it again"
    if candidate.rows is not None:
        try:
            judged = judged_heads(candidate, candidate.rows)
        except DatasetError as error:
            problem = f"its test rows don't fit its contract: {error}"
    for head, days in scored:
        one = judged.get(f"{head}_{days}d")
        if one is None:
            subject = f"{head} {days}d"
            gates += [
                Gate(name, subject, "-", "-", "not measured", problem)
                for name in ("calibrated", "not leaking", "fair")
            ]
            continue
        gates += calibration_gates(one, limits, candidate.seed)
        interval = interval_gate(one, candidate, limits)
        gates += [] if interval is None else [interval]
        gates.append(leakage_gate(one, candidate, limits))
        gates.append(fairness_gate(one, candidate, limits))
    gates.append(parity_gate(candidate, judged, limits))
    gates.append(speed_gate(candidate, limits, clock))
    outlook = outlook_speed_gate(candidate, limits, clock)
    gates += [] if outlook is None else [outlook]
    gates.append(suspicion_gate(candidate, judged, limits))
    return tuple(gates)


def _days(candidate: Candidate, horizons: tuple[int, ...]) -> int:
    """Return the horizon that a head is judged at: the scored one, if it has that."""
    scored = candidate.bundle.manifest.score_horizon_days
    return scored if scored in horizons else horizons[-1]
