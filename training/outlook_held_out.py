"""Rows that a candidate and a champion are compared on beyond their heads: those that the outlook spoke of.

Test rows get two labels more, where health went and how much MRR grew, and what is known of health. A year is longer
than what lies behind a test row, so the long horizon is judged on rows of any cutoff that lived on after the fit.
Effects are judged on draws that the judged heads have not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from training.evaluation.held_out import (
    AMOUNT_LABEL,
    DRAWS,
    FEATURE,
    LATER,
    TRAJECTORY_LABEL,
    feature_columns,
)
from training.evaluation.held_out_draws import draw_rows
from training.labels_trajectory import CLASSES, trajectory_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.dataset import Parts, TrainingSet
    from training.outlook_sources import OutlookSources
    from training.outlook_values import Outlook
    from training.splits import Split

MOST_LATER_ROWS = 10_000
"""Of more rows that lived on after the fit those of accounts drawn at random are kept; they take a graph a second."""


def outlook_columns(
    rows: TrainingSet, parts: Parts, split: Split, sources: OutlookSources
) -> dict[str, NDArray[Any]]:
    """Return what test rows hold beyond heads: health's class, the amount of an expansion, and known health.

    Args:
        rows: The training set.
        parts: Its rows by part.
        split: Cutoffs of each part.
        sources: Amounts, health levels and known health of *rows*.
    """
    test, chosen = parts.test.labels, rows.in_part(split.test)
    columns: dict[str, NDArray[Any]] = {
        AMOUNT_LABEL: np.where(test.happened("upsell"), np.expm1(sources.log_ratios[chosen]), np.nan)
    }
    if sources.levels is not None:
        label = trajectory_labels(test, sources.levels, known_by=split.test.known_by)
        names = np.array([*CLASSES, None], dtype=object)
        columns[TRAJECTORY_LABEL] = names[np.where(np.isnan(label), len(CLASSES), label).astype(np.intp)]
    if sources.health is not None:
        for position, name in enumerate(sources.health_names):
            columns[FEATURE + name] = sources.health[chosen, position]
    return columns


def held_out_tables(
    rows: TrainingSet, split: Split, outlook: Outlook, *, seed: int
) -> dict[str, pd.DataFrame]:
    """Return the tables `LATER` and `DRAWS`, each only where it has rows.

    Args:
        rows: The training set, labelled as at the end of the data.
        split: Cutoffs of each part.
        outlook: Holds the draws that its judged effects have not seen.
        seed: Of the draw of accounts.
    """
    found = {LATER: _later_rows(rows, split, seed)}
    held_out = () if outlook.effects is None else outlook.effects.held_out
    found[DRAWS] = draw_rows(held_out, rows.contract, rows.encodings)
    return {kind: table for kind, table in found.items() if len(table)}


def _later_rows(rows: TrainingSet, split: Split, seed: int) -> pd.DataFrame:
    """Return rows that had not expanded by the last horizon and were seen beyond it, after the fit."""
    labels, last = rows.labels, rows.labels.horizons_days[-1]
    days, observed = labels.event_days["upsell"], labels.observed_days["upsell"]
    chosen = (days >= last) & (observed > np.maximum(last, labels.days_until(split.refit.known_by)))
    if chosen.sum() > MOST_LATER_ROWS:
        accounts, of_row = np.unique(labels.account_id.astype(str), return_inverse=True)
        place = np.random.default_rng(seed).permutation(len(accounts))[of_row]
        chosen &= place < np.sort(place[chosen])[MOST_LATER_ROWS]
    return pd.DataFrame(
        {
            "account_id": labels.account_id[chosen].astype(str),
            "cutoff": labels.cutoff[chosen].astype("datetime64[s]"),
            "upsell_event_days": np.where(np.isinf(days), np.nan, days)[chosen],
            "upsell_observed_days": observed[chosen],
            **feature_columns(rows.matrix[chosen], rows.contract, rows.encodings),
        }
    )
