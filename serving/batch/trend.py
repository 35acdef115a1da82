"""How an account's risk has changed: what the same model says of its features of 30 days earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from serving.batch.feature_table import feature_rows
from serving.scoring.engine import scoring_tables
from serving.scoring.score import PROBABILITY_DIGITS
from serving.scoring.trend import TREND_DAYS, risen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from serving.bundle.loader import Bundle
    from serving.scoring.result import AccountScore

TREND_COLUMN: Final = f"churn_risk_change_{TREND_DAYS}d"


def churn_probabilities(batches: Iterable[pa.RecordBatch], bundle: Bundle) -> dict[str, float]:
    """Return by account the probability of leaving by the scored horizon, as a score shows it, and nothing else.

    Args:
        batches: Features, as `feature_table_schema` says.
        bundle: The model.
    """
    column = scoring_tables(bundle).score_column
    found: dict[str, float] = {}
    for batch in batches:
        rows = feature_rows(batch, bundle.manifest)
        outputs = bundle.run(rows.matrix, contributions=False)
        values = outputs.probabilities[bundle.manifest.score_head][:, column]
        shown = np.round(values, PROBABILITY_DIGITS).tolist()
        every = zip(rows.account_ids, rows.known.tolist(), shown, strict=True)
        found |= {account_id: value for account_id, known, value in every if known}
    return found


def change_of(score: AccountScore, horizon: str, earlier: Mapping[str, float]) -> float | None:
    """Return by how much the probability of leaving has risen since *earlier*; None if it was not known then.

    Args:
        score: Of now.
        horizon: Name of the scored horizon (`30d`).
        earlier: From `churn_probabilities`.
    """
    before = earlier.get(score.account_id)
    return None if before is None else risen(score, horizon, before)
