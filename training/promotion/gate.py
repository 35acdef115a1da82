"""What a gate says, and what it looks at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from training.evaluation.held_out import known_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import Estimate
    from training.evaluation.compare import OpenBundle

Verdict = Literal["passed", "refused", "not measured", "explained"]


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate.

    Attributes:
        name: What is asked.
        subject: Of which head and horizon; `bundle` if of all.
        value: What was measured.
        limit: What it must keep to.
        verdict: `refused` and `not measured` keep the bundle from being promoted.
        note: What one must know besides; empty if nothing.
    """

    name: str
    subject: str
    value: str
    limit: str
    verdict: Verdict
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bundle may pass."""
        return self.verdict in {"passed", "explained"}

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is judged.

    Attributes:
        bundle: The candidate.
        rows: Its test rows (`training.evaluation.held_out`), or None if they were not kept.
        champion: The bundle that it would replace, or None.
        explanation: Why it may be as good as it is, or None.
        seed: Of resampling.
        later: Rows that lived on beyond the last horizon after the fit (`training.outlook_held_out`), or None.
        draws: Draws that its judged effects have not seen (`training.evaluation.held_out_draws`), or None.
        champion_draws: The same of the champion.
    """

    bundle: OpenBundle
    rows: pd.DataFrame | None
    champion: OpenBundle | None
    explanation: str | None
    seed: int
    later: pd.DataFrame | None = None
    draws: pd.DataFrame | None = None
    champion_draws: pd.DataFrame | None = None

    def unmeasured(self, name: str, subject: str, why: str, limit: str = "-") -> Gate:
        """Return a gate that could not be measured, which may pass all the same where somebody says why.

        Args:
            name: What is asked.
            subject: Of what.
            why: Why it could not be measured.
            limit: What it must keep to.
        """
        if self.explanation:
            return Gate(name, subject, "-", limit, "explained", f"{why}; {self.explanation}")
        note = f"{why}; if it may go all the same, say why with --explain"
        return Gate(name, subject, "-", limit, "not measured", note)

    def unreported(self, name: str, subject: str, report: Mapping[str, Any], lacks: str, limit: str) -> Gate:
        """Return a gate on what *report* does not tell, by the report's own sentence where it has one.

        Args:
            name: What is asked.
            subject: Of what.
            report: What training reports of it.
            lacks: What the bundle does not report.
            limit: What it must keep to.
        """
        why = str(report.get("unmeasured", f"the bundle reports {lacks}"))
        return self.unmeasured(name, subject, why, limit)


def shown(figure: Estimate) -> str:
    """Return a figure with its interval, for a gate's value."""
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def signed(figure: Estimate) -> str:
    """Return a difference with its interval, for a gate's value."""
    return f"{figure.value:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]"


@dataclass(frozen=True, slots=True)
class JudgedHead:
    """Test rows of one head and horizon whose label is known."""

    key: str
    matrix: NDArray[np.float64]
    label: NDArray[np.float64]
    account_id: NDArray[np.object_]
    recorded: NDArray[np.float64]
    probability: NDArray[np.float64]
    threshold: float


def judged_heads(candidate: Candidate, rows: pd.DataFrame) -> dict[str, JudgedHead]:
    """Return the test rows of every head and horizon, such as `churn_90d`, of which labels are known.

    Args:
        candidate: Whose bundle is run on the rows.
        rows: Its test rows.

    Raises:
        DatasetError: The rows don't fit the bundle's contract.
    """
    manifest = candidate.bundle.manifest
    matrix, probability = candidate.bundle.matrix(rows), candidate.bundle.probabilities(rows)
    found = {}
    for head in manifest.heads:
        for days in head.horizons_days:
            key = f"{head.name}_{days}d"
            known = rows.index.isin(known_rows(rows, head.name, days).index)
            if not known.any():
                continue
            part = rows[known]
            found[key] = JudgedHead(
                key=key,
                matrix=matrix[known],
                label=part[f"{key}_label"].to_numpy(dtype=np.float64),
                account_id=part["account_id"].to_numpy(dtype=object),
                recorded=part[key].to_numpy(dtype=np.float64),
                probability=probability[key][known],
                threshold=head.thresholds.get(f"{days}d", 1.0),
            )
    return found
