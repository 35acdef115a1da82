"""Draws that judged effects have not seen, as a table: what was drawn, what came of it, and what was said before.

It is kept beside the test rows, so that two bundles can be judged on the same draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from training.evaluation.held_out import feature_columns
from training.evaluation.policy_value import PolicyLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract
    from serving.bundle.manifest import Encoding
    from training.treatments import LoggedTreatments

NOTHING = "nothing"
PROPENSITY, EXPECTED, EFFECT = "propensity:", "expected:", "effect:"
KEYS = ("outcome", "account_id", "treated_at", "arm")
"""What tells one draw from another; a log may repeat a draw, and of repetitions the first counts."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutDraws:
    """n draws of one outcome among K actions that the judged heads have not seen.

    Attributes:
        outcome: Which outcome.
        treatments: The draws, all of known outcome.
        matrix: Shape (n, model features), features as of each.
        expected: Shape (n, K + 1), expected outcome under every arm, by models of earlier draws.
        effects: Shape (n, K), what the judged heads said.
    """

    outcome: str
    treatments: LoggedTreatments
    matrix: NDArray[np.float64]
    expected: NDArray[np.float64]
    effects: NDArray[np.float64]


def draw_rows(
    held_out: Sequence[HeldOutDraws], contract: FeatureContract, encodings: Sequence[Encoding]
) -> pd.DataFrame:
    """Return one row a draw and outcome.

    Args:
        held_out: Draws of each outcome.
        contract: What the columns of their matrices are.
        encodings: Categories of string features.

    Returns:
        `outcome`, `account_id`, `treated_at`, `arm` (an action, or `nothing`), `value` (what came), and per arm
        `propensity:<arm>` and `expected:<arm>`, per action `effect:<action>`, per model feature `feature:<name>`.
    """
    tables = []
    for one in held_out:
        drawn, arms = one.treatments, (NOTHING, *one.treatments.actions)
        columns: dict[str, Any] = {
            "outcome": one.outcome,
            "account_id": drawn.account_id.astype(str),
            "treated_at": drawn.treated_at.astype("datetime64[us]"),
            "arm": np.array(arms, dtype=object)[drawn.arm],
            "value": drawn.outcomes[one.outcome],
        }
        for position, arm in enumerate(arms):
            columns[PROPENSITY + arm] = drawn.propensities[:, position]
            columns[EXPECTED + arm] = one.expected[:, position]
        for position, action in enumerate(drawn.actions):
            columns[EFFECT + action] = one.effects[:, position]
        tables.append(pd.DataFrame(columns | feature_columns(one.matrix, contract, encodings)))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(KEYS))


def arms_of(draws: pd.DataFrame) -> tuple[str, ...]:
    """Return nothing and the actions of a table of `draw_rows`, in the order of its columns."""
    return tuple(name.removeprefix(PROPENSITY) for name in draws.columns if name.startswith(PROPENSITY))


def draws_of(draws: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Return the rows of one outcome, without columns of actions that none of its draws could have come to.

    Args:
        draws: Rows of `draw_rows`.
        outcome: Which outcome.
    """
    rows = draws[draws["outcome"] == outcome].reset_index(drop=True)
    absent = [arm for arm in arms_of(rows) if len(rows) and rows[PROPENSITY + arm].isna().all()]
    return rows.drop(
        columns=[kind + arm for arm in absent for kind in (PROPENSITY, EXPECTED, EFFECT)], errors="ignore"
    )


def as_log(draws: pd.DataFrame) -> PolicyLog:
    """Return draws of one outcome as policies are judged on; arm 0 is nothing.

    Args:
        draws: Rows of `draw_rows`.
    """
    arms = arms_of(draws)
    return PolicyLog(
        account_id=draws["account_id"].to_numpy(dtype=object),
        arm=np.array([arms.index(one) for one in draws["arm"]], dtype=np.intp),
        propensities=draws[[PROPENSITY + arm for arm in arms]].to_numpy(dtype=np.float64),
        outcome=draws["value"].to_numpy(dtype=np.float64),
    )
