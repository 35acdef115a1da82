"""Reads the truth of a synthetic world, after training and never for it, and judges trained heads beside it.

True probabilities are known at the end of every month, so those days are labelled and scored anew: features as of
that moment from the feature store, labels from the subscriptions, by the definitions of the training.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from training.dataset import historical_features
from training.encoding import encode
from training.errors import DatasetError
from training.evaluation.baselines import Column
from training.evaluation.ceilings import TruthRows, ceiling
from training.evaluation.coverage import coverage_of_truth
from training.evaluation.segments import mrr_of
from training.evaluation.thresholds import Threshold
from training.evaluation.told_truth import truth_that_features_tell
from training.labels import read_labels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.definitions import HeadName
    from training.labels import Labels
    from training.threshold_definitions import ThresholdMode
    from training.trained import TrainedModels

HAZARDS = "hazards"


class NoMonthEndError(DatasetError):
    """A part of the time split holds no day at which the truth is known and labels are too."""


@dataclass(frozen=True, slots=True)
class TruthPart:
    """Rows at month ends within one part of the time split.

    Attributes:
        labels: As far as they were known when the next part begins.
        matrix: Model features of the rows.
        truth: True probabilities of the rows, columns `<head>_probability_<days>d`.
    """

    labels: Labels
    matrix: NDArray[np.float64]
    truth: pd.DataFrame


def read_truth(folder: Path) -> pd.DataFrame:
    """Return the true probabilities that lie in *folder* (`truth/` of a synthetic world).

    Returns:
        `account_id`, `day` (the cutoff that the probabilities count from, `datetime64[s]`) and per head and horizon
        `<head>_probability_<days>d`.

    Raises:
        DatasetError: There is no such truth.
    """
    parts = sorted((folder / HAZARDS).glob("*.parquet"))
    if not parts:
        raise DatasetError(
            f"{folder / HAZARDS}: there are no Parquet files; only a synthetic world (`keepgrow synth`) has a truth"
        )
    table = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    moment = pd.to_datetime(table.pop("as_of"), utc=True).dt.tz_localize(None)
    table.insert(1, "day", moment.to_numpy().astype("datetime64[s]"))
    chosen = [name for name in table.columns if "_probability_" in name]
    return table[["account_id", "day", *chosen]]


def judge_against_truth(
    data: Path,
    store: Any,  # noqa: ANN401 - Feast brings no types
    trained: TrainedModels,
    truth: Path,
    *,
    samples: int = 300,
) -> dict[str, Any]:
    """Return, per head and horizon, what ranking by the truth reaches beside what *trained* reaches.

    Args:
        data: The data folder that was trained on.
        store: The Feast store of its features.
        trained: What training gave; its thresholds by mode are read from its metrics.
        truth: The folder `truth/` of the same world.
        samples: Resamples of the bootstrap.

    Returns:
        JSON-able, for `metrics["ceilings"]`: head to horizon (`90d`) to what `training.evaluation.ceilings.ceiling`
        gives. Horizons whose truth is not known are left out. Where a part holds no month end whose labels are known,
        `left_out` alone, with the reason: a small world is trained all the same.

    Raises:
        DatasetError: There is no truth.
    """
    known = read_truth(truth)
    window = trained.window
    try:
        validation = _part(data, store, trained, known, window.validation[0], window.test[0])
        test = _part(data, store, trained, known, window.test[0], window.label_end)
    except NoMonthEndError as error:
        return {"left_out": str(error)}
    columns = [Column(feature.name) for feature in trained.contract.model_features]
    policy = trained.definitions.thresholds
    found: dict[str, Any] = {}
    for head in trained.heads:
        judged: dict[str, Any] = {}
        for index, horizon in enumerate(head.horizons_days):
            if f"{head.name}_probability_{horizon}d" not in known:
                continue
            told = trained.metrics["heads"][head.name]["horizons"][f"{horizon}d"]
            thresholds: dict[ThresholdMode, Threshold] = {
                mode: Threshold(entry["value"], entry["rule"], entry["sentence"])
                for mode, entry in told["policies"].items()
            }
            checked, tested = (
                _rows(part, head.name, horizon, head.probabilities(part.matrix)[:, index], columns)
                for part in (validation, test)
            )
            judged[f"{horizon}d"] = ceiling(
                checked if checked.label.any() else _expected(validation, head.name, horizon, columns),
                tested,
                policy=policy,
                thresholds=thresholds,
                value=policy.intervention(head.name),
                samples=samples,
                seed=trained.seed,
            )
            sure = trained.outlook.uncertainty.get(head.name)
            if sure is not None:
                low, high = (end[:, index] for end in sure.interval(test.matrix))
                true = test.truth[f"{head.name}_probability_{horizon}d"].to_numpy(dtype=np.float64)
                judged[f"{horizon}d"]["interval_holds_truth"] = round(coverage_of_truth(true, low, high), 6)
                told = truth_that_features_tell(test.matrix, true, test.labels.account_id, seed=trained.seed)
                judged[f"{horizon}d"]["interval_holds_told_truth"] = round(
                    coverage_of_truth(told, low, high), 6
                )
        found[head.name] = judged
    return found


def _part(
    data: Path,
    store: Any,  # noqa: ANN401 - Feast brings no types
    trained: TrainedModels,
    truth: pd.DataFrame,
    first: dt.date,
    known_by: dt.date,
) -> TruthPart:
    """Return the rows of month ends from *first* on, labelled as on *known_by*."""
    horizon = trained.definitions.horizons_days[0]
    days = [
        day
        for day in sorted({pd.Timestamp(one).date() for one in truth["day"].unique()})
        if first <= day and day + dt.timedelta(days=horizon) <= known_by
    ]
    if not days:
        raise NoMonthEndError(
            f"the truth has no month end from {first} on whose labels are known by {known_by}"
        )
    labels = read_labels(data, days, trained.definitions).known_by(known_by, trained.definitions)
    frame = historical_features(store, labels, trained.contract)
    matrix = encode(frame, trained.contract.model_features, trained.encodings)
    keys = pd.DataFrame({"account_id": labels.account_id, "day": labels.cutoff.astype("datetime64[s]")})
    joined = keys.merge(truth, on=["account_id", "day"], how="left")
    kept = (~np.isnan(matrix).all(axis=1)) & joined.iloc[:, 2:].notna().all(axis=1).to_numpy(dtype=bool)
    return TruthPart(labels.select(kept), matrix[kept], joined[kept].reset_index(drop=True))


def _rows(
    part: TruthPart, head: HeadName, horizon: int, probability: NDArray[np.float64], columns: list[Column]
) -> TruthRows:
    label = part.labels.outcome(head, horizon)
    known = ~np.isnan(label)
    mrr = mrr_of(part.matrix, columns)
    return TruthRows(
        account_id=part.labels.account_id[known],
        label=label[known],
        truth=part.truth[f"{head}_probability_{horizon}d"].to_numpy(dtype=np.float64)[known],
        ours=probability[known],
        mrr=None if mrr is None else mrr[known],
    )


def _expected(part: TruthPart, head: HeadName, horizon: int, columns: list[Column]) -> TruthRows:
    """Return all rows of *part*, each an event by its true probability: where no label is known yet."""
    truth = part.truth[f"{head}_probability_{horizon}d"].to_numpy(dtype=np.float64)
    return TruthRows(part.labels.account_id, truth, truth, truth, mrr_of(part.matrix, columns))
