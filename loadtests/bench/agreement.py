"""Checks, before anything is timed, that all servers give the same accounts the same probabilities."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Final

from loadtests.bench.generator import HOST
from loadtests.bench.workload import make_shots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.bench.servers import Running

TOLERANCE: Final = 2e-6
"""Answers are rounded to six decimals."""

_HEADS: Final = ("churn_probability", "upsell_probability")


def probabilities(target: Running, account: str) -> dict[str, float]:
    """Return an account's probabilities by head and horizon, as a server gives them."""
    shot = make_shots(target.server.kind, [account], 1, seed=0)[0]
    head, _, body = shot.request.partition(b"\r\n\r\n")
    path = head.split(b" ")[1].decode()
    connection = http.client.HTTPConnection(HOST, target.port, timeout=10)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return {f"{head} {horizon}": value for head in _HEADS for horizon, value in answer[head].items()}


def require_agreement(targets: Sequence[Running], accounts: Sequence[str]) -> int:
    """Compare all *targets* on all *accounts* with the first target.

    Returns:
        The number of probabilities that were compared.

    Raises:
        RuntimeError: Two servers differ, and where.
    """
    compared = 0
    for account in accounts:
        first, *others = [(one.server.name, probabilities(one, account)) for one in targets]
        for name, found in others:
            if found.keys() != first[1].keys():
                raise RuntimeError(
                    f"{account}: {name} answers {sorted(found)}, {first[0]} {sorted(first[1])}"
                )
            for what, value in found.items():
                compared += 1
                if abs(value - first[1][what]) > TOLERANCE:
                    raise RuntimeError(f"{account}, {what}: {name} says {value}, {first[0]} {first[1][what]}")
    return compared
