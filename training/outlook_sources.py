"""Reads what the outlook is learnt from besides features and labels: amounts, health levels, and logged treatments."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from training.departure_columns import subscribed_as_zero
from training.encoding import encode
from training.errors import DatasetError
from training.heads.amount import read_log_ratios
from training.labels_trajectory import level_before, read_levels
from training.treatments import historical_treatment_features, read_treatments
from training.winback_rows import read_winback_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from training.dataset import TrainingSet
    from training.definitions import Definitions
    from training.heads.uplift.shrinkage import Prior
    from training.labels_trajectory import LevelSeries
    from training.treatments import LoggedTreatments
    from training.winback_rows import WinbackRows


HEALTH_INPUTS = ("health_score", "health_score_28d_change")
"""What the trajectory is told of health; slope, volatility and recoveries besides made it no better on validation."""


@dataclass(frozen=True, slots=True)
class OutlookSources:
    """What was found; n rows of the training set, m draws, f model features.

    Attributes:
        log_ratios: Shape (n,), log of MRR after over before the first expansion within the last horizon, NaN if none.
        levels: Daily health, or None.
        health: Shape (n, e), what is known of health the day before each cutoff, by `health_names`.
        health_names: Features of the `health` view that are served beside the model's, e of them.
        treatments: The m draws, or None.
        draws: Shape (m, f), features as of each draw, or None.
        winback: Accounts that had left, rows of their own with features and labels, or None.
        priors: Declared effects by (action, outcome).
        absent: Why a source is None, a sentence each, by `levels` and `treatments`.
        facts: What was left out of the treatments, for the manifest.
    """

    log_ratios: NDArray[np.float64]
    levels: LevelSeries | None = None
    health: NDArray[np.float64] | None = None
    health_names: tuple[str, ...] = ()
    treatments: LoggedTreatments | None = None
    draws: NDArray[np.float64] | None = None
    winback: WinbackRows | None = None
    priors: Mapping[tuple[str, str], Prior] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def read_outlook_sources(
    data: Path,
    store: Any,  # noqa: ANN401 - Feast brings no types
    rows: TrainingSet,
    definitions: Definitions,
    *,
    features: Path | None,
    priors: Mapping[tuple[str, str], Prior],
    progress: Callable[[str], None],
) -> OutlookSources:
    """Read amounts from subscriptions, health from built features, and draws with features as of each.

    Args:
        data: A data folder.
        store: A Feast store with features built for it.
        rows: The training set.
        definitions: Horizons.
        features: Folder of the built features, or None for no trajectory.
        priors: Declared effects by (action, outcome).
        progress: Called with a sentence a step.

    Raises:
        DatasetError: Features and draws can't be joined.
        DataFolderError: A raw table can't be read.
    """
    absent: dict[str, str] = {}
    levels, health = None, None
    names: tuple[str, ...] = ()
    if features is None:
        absent["levels"] = "The folder of built features was not given, so health levels are not known."
    else:
        try:
            levels = read_levels(features)
            names = tuple(
                feature.name
                for feature in rows.contract.features
                if feature.role == "policy" and feature.name in HEALTH_INPUTS
            )
            known = [level_before(rows.labels, read_levels(features, feature=name)) for name in names]
            health = np.column_stack(known) if known else None
        except DatasetError as error:
            absent["levels"] = f"Health levels are not known: {error}."
    progress("features of accounts that had left")
    winback = read_winback_rows(data, store, rows, definitions)
    log_ratios = read_log_ratios(data, rows.labels, definitions.horizons_days[-1])
    found = read_treatments(data, grace_days=definitions.churn.grace_days)
    facts: dict[str, Any] = {}
    treatments, draws = None, None
    if found is None:
        absent["treatments"] = "The data has no table `treatments`."
    else:
        treatments, left_out = found
        facts = {"left_out_draws": asdict(left_out)}
        if len(treatments):
            progress(f"features of {len(treatments)} logged treatments")
            frame = historical_treatment_features(store, treatments, rows.contract)
            empty = frame.isna().all(axis=1).to_numpy(dtype=bool)
            facts["left_out_draws"]["without_features"] = int(empty.sum())
            frame = frame.loc[~empty].reset_index(drop=True)
            columns = rows.contract.model_features
            draws = subscribed_as_zero(
                encode(frame, columns, rows.encodings), [column.name for column in columns]
            )
            treatments = treatments.select(np.flatnonzero(~empty))
    return OutlookSources(
        log_ratios=log_ratios,
        levels=levels,
        health=health,
        health_names=names,
        treatments=treatments,
        draws=draws,
        winback=winback,
        priors=priors,
        absent=absent,
        facts=facts,
    )
