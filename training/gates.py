"""May a bundle become the champion? Every gate with its value, its limit and its verdict.

Every head is judged at each of its horizons. A gate that can't be measured is not passed. The limits live in
`gates.yaml`; `keepgrow promote` prints what comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.errors import DatasetError
from training.promotion.gate import Candidate, Gate, judged_heads
from training.promotion.of_bundles import (
    comparison_gate,
    graph_gate,
    loss_gate,
    outlook_parity_gate,
    outlook_speed_gate,
    parity_gate,
    speed_gate,
)
from training.promotion.of_outlook import trajectory_gates
from training.promotion.of_outlook_compared import outlook_comparison_gates
from training.promotion.of_rows import (
    calibration_gates,
    fairness_gates,
    interval_gate,
    leakage_gate,
    suspicion_gate,
)
from training.promotion.of_uplift import uplift_gates
from training.promotion.of_winback import winback_gates

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
    heads = [(head.name, days) for head in candidate.bundle.manifest.heads for days in head.horizons_days]
    gates = [comparison_gate(candidate, head, days, limits, heads=len(heads)) for head, days in heads]
    gates += outlook_comparison_gates(candidate, limits)
    gates += uplift_gates(candidate, limits)
    gates.append(loss_gate(candidate))
    judged: dict[str, JudgedHead] = {}
    problem = "its test rows were not kept beside the model store; train it again"
    if candidate.rows is not None:
        try:
            judged = judged_heads(candidate, candidate.rows)
            problem = "of no test row it is known what happened within this horizon"
        except DatasetError as error:
            problem = f"its test rows don't fit its contract: {error}"
    for head, days in heads:
        one = judged.get(f"{head}_{days}d")
        if one is None:
            subject = f"{head} {days}d"
            gates += [
                Gate(name, subject, "-", "-", "not measured", problem)
                for name in ("calibrated", "not leaking", "fair")
            ]
            continue
        gates += calibration_gates(one, limits, candidate.seed, heads=len(heads))
        interval = interval_gate(one, candidate, limits)
        gates += [] if interval is None else [interval]
        gates.append(leakage_gate(one, candidate, limits))
        gates += fairness_gates(one, candidate, limits, heads=len(heads))
    gates += trajectory_gates(candidate, limits)
    gates += winback_gates(candidate, limits)
    gates.append(graph_gate(candidate))
    gates.append(parity_gate(candidate, judged, limits))
    outlook_parity = outlook_parity_gate(candidate, limits)
    gates += [] if outlook_parity is None else [outlook_parity]
    gates.append(speed_gate(candidate, limits, clock))
    outlook = outlook_speed_gate(candidate, limits, clock)
    gates += [] if outlook is None else [outlook]
    gates.append(suspicion_gate(candidate, judged, limits))
    return tuple(gates)
