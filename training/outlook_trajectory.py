"""Trains the trajectory head on what the data tells, and judges it on test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.errors import TooLittleDataError
from training.evaluation.trajectory_report import trajectory_report
from training.heads.trajectory import TrajectoryHead, TrajectoryRows, train_trajectory, with_inputs
from training.labels_trajectory import CLASSES, DECLINING, HORIZON_DAYS, MEAN_DAYS, POINTS, trajectory_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.dataset import PartRows, Parts, TrainingSet
    from training.heads.hazard import HazardHead
    from training.outlook_sources import OutlookSources
    from training.splits import Part, Split

TRAJECTORY_SENTENCE = (
    f"Declining or improving: the mean health score of the last {MEAN_DAYS} of the next {HORIZON_DAYS} days lies more "
    f"than {POINTS:g} points under or over that of the day before; an account that leaves has declined."
)


def trajectory_of(
    churn: HazardHead,
    rows: TrainingSet,
    parts: Parts,
    split: Split,
    sources: OutlookSources,
    fitting: Mapping[str, Any],
    *,
    samples: int,
    seed: int,
) -> tuple[TrajectoryHead | None, dict[str, Any]]:
    """Return the head, or None, and what is told of it.

    Args:
        churn: The churn head; where it has the trajectory's horizon it tells who leaves.
        rows: The training set.
        parts: Its rows by part.
        split: Cutoffs of each part.
        sources: Health levels, and what is known of health at the cutoffs of *rows*.
        fitting: Definitions, names of the matrix's columns, seed and threads.
        samples: Resamples of accounts.
        seed: Their seed.
    """
    if sources.levels is None:
        return None, {"left_out": sources.absent["levels"]}
    levels = sources.levels
    column = churn.horizons_days.index(HORIZON_DAYS) if HORIZON_DAYS in churn.horizons_days else None

    def labelled(part: Part, of: PartRows) -> NDArray[np.float64]:
        return trajectory_labels(of.labels, levels, known_by=part.known_by)

    def wide(part: Part, of: PartRows) -> NDArray[np.float64]:
        return with_inputs(of.matrix, None if sources.health is None else sources.health[rows.in_part(part)])

    def fitted_to(part: Part, of: PartRows) -> TrajectoryRows:
        label = labelled(part, of)
        if column is not None:
            label = np.where(of.labels.event_days["churn"] < HORIZON_DAYS, np.nan, label)
        return TrajectoryRows.known(wide(part, of), label)

    refit = None if split.refit == split.train else fitted_to(split.refit, parts.refit)
    try:
        head, choice = train_trajectory(
            fitted_to(split.train, parts.train),
            fitted_to(split.validation, parts.validation),
            refit,
            inputs=sources.health_names,
            churn_column=column,
            **fitting,
        )
    except TooLittleDataError as error:
        return None, {"left_out": f"{error}."}
    label = labelled(split.test, parts.test)
    told = ~np.isnan(label)
    facts = {"definition": TRAJECTORY_SENTENCE, "days": HORIZON_DAYS, "training": choice}
    if not told.any():
        return head, facts | {"unmeasured": "No test row's health is known at the end of the horizon."}
    known = labelled(split.refit, parts.refit)
    shares = np.bincount(known[~np.isnan(known)].astype(np.intp), minlength=len(CLASSES))
    matrix = wide(split.test, parts.test)[told]
    report = trajectory_report(
        head.probabilities(matrix, churn.probabilities(parts.test.matrix[told])),
        label[told],
        parts.test.labels.account_id[told],
        shares / shares.sum(),
        samples=samples,
        seed=seed,
    )
    left = parts.test.labels.event_days["churn"][told] < HORIZON_DAYS
    return head, facts | report | {"left": {CLASSES[DECLINING]: int(left.sum())}}
