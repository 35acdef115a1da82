"""Trains what a bundle says beyond probabilities by horizon, part by part; a part that data can't bear is left out.

The parts: how sure each head is, which accounts are unlike the training data, expansion within a year, how much MRR
grows, where health goes, and what actions change. A part that is left out says why in the metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.errors import DatasetError, TooLittleDataError
from training.evaluation.outlook_report import interval_report, long_report, support_report
from training.evaluation.trajectory_report import trajectory_report
from training.heads.amount import AmountModel, amount_report, fit_amount
from training.heads.long_horizon import LongInterval, fit_long_interval
from training.heads.trajectory import TrajectoryHead, TrajectoryRows, train_trajectory
from training.labels_trajectory import CLASSES, HORIZON_DAYS, MEAN_DAYS, POINTS, trajectory_labels
from training.outlook_effects import train_effects
from training.outlook_values import Outlook
from training.support import fit_support
from training.uncertainty.fit import CONFIDENCE, fit_halves, fit_uncertainty

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from training.dataset import PartRows, Parts, TrainingSet
    from training.definitions import Definitions, HeadName
    from training.heads.train import TrainedHead
    from training.outlook_sources import OutlookSources
    from training.settings import TrainingSettings
    from training.splits import Part, Split

TRAJECTORY_SENTENCE = (
    f"Declining or improving: the mean health score of the last {MEAN_DAYS} of the next {HORIZON_DAYS} days lies more "
    f"than {POINTS:g} points under or over that of the day before; an account that leaves has declined."
)


def train_outlook(
    trained: Mapping[HeadName, TrainedHead],
    rows: TrainingSet,
    parts: Parts,
    split: Split,
    sources: OutlookSources,
    *,
    definitions: Definitions,
    seed: int,
    settings: TrainingSettings,
    progress: Callable[[str], None],
) -> Outlook:
    """Train and judge all parts.

    Args:
        trained: Both heads.
        rows: The training set; n rows.
        parts: Its rows by part.
        split: Cutoffs of each part.
        sources: Amounts of the n rows, health levels, draws.
        definitions: Horizons, boosting stages.
        seed: Seed of everything random.
        settings: Threads, resamples.
        progress: Called with a sentence a step.
    """
    names = [feature.name for feature in rows.contract.model_features]
    chosen = {"seed": seed, "samples": settings.bootstrap_samples}
    fitting: dict[str, Any] = {
        "definitions": definitions,
        "feature_names": names,
        "seed": seed,
        "num_threads": settings.threads(len(parts.refit.matrix)),
    }
    metrics: dict[str, Any] = {}
    progress("how sure the heads are of their probabilities")
    halves = {name: fit_halves(one, parts, **fitting) for name, one in trained.items()}
    uncertainty = {
        name: fit_uncertainty(one, parts, halves=halves[name], **fitting) for name, one in trained.items()
    }
    metrics["uncertainty"] = {
        name: interval_report(sure, parts.test, level=CONFIDENCE) for name, sure in uncertainty.items()
    }
    boosters = [booster for one in trained.values() for booster in one.head.boosters]
    support = fit_support(
        parts.train.matrix, parts.validation.matrix, boosters, open_features=_open_features(rows)
    )
    metrics["support"] = support_report(
        support, trained["churn"].head, parts.test, horizon_days=definitions.score_horizon_days, **chosen
    )
    long_interval, metrics["long_horizon"] = _long(
        trained["upsell"], rows, parts, split, definitions, **chosen
    )
    amount, metrics["amount"] = _amount(rows, parts, split, sources.log_ratios, fitting, **chosen)
    progress("where health goes")
    trajectory, metrics["trajectory"] = _trajectory(parts, split, sources, fitting, **chosen)
    effects, metrics["uplift"] = train_effects(
        trained["churn"], halves["churn"], sources, settings=settings, progress=progress, **chosen
    )
    return Outlook(
        uncertainty=dict(uncertainty),
        support=support,
        long_interval=long_interval,
        amount=amount,
        trajectory=trajectory,
        effects=effects,
        metrics=metrics,
    )


def _open_features(rows: TrainingSet) -> list[int]:
    """Return columns that grow with the calendar, so that later rows lie beyond any range."""
    return [
        index
        for index, feature in enumerate(rows.contract.model_features)
        if feature.signal == "tenure" or feature.name.startswith("days_since_")
    ]


def _long(
    upsell: TrainedHead,
    rows: TrainingSet,
    parts: Parts,
    split: Split,
    definitions: Definitions,
    *,
    samples: int,
    seed: int,
) -> tuple[LongInterval | None, dict[str, Any]]:
    days = definitions.upsell.long_horizon_days
    if days is None:
        return None, {"left_out": "The definitions name no long horizon."}
    try:
        interval = fit_long_interval(upsell.head, parts.refit, end_days=days)
    except TooLittleDataError as error:
        return None, {"left_out": f"{error}."}
    everything = type(parts.test)(rows.matrix, rows.labels)
    return interval, long_report(
        upsell.head, interval, everything, split.refit.known_by, samples=samples, seed=seed
    )


def _rows_of(rows: TrainingSet, part: Part) -> NDArray[np.bool_]:
    return np.isin(rows.labels.cutoff, np.array(part.cutoffs, dtype="datetime64[D]"))


def _amount(
    rows: TrainingSet,
    parts: Parts,
    split: Split,
    log_ratios: NDArray[np.float64],
    fitting: Mapping[str, Any],
    *,
    samples: int,
    seed: int,
) -> tuple[AmountModel | None, dict[str, Any]]:
    def known(part: Part, of: PartRows) -> NDArray[np.float64]:
        """Return the ratios of expansions that could be told when the next part began."""
        seen = of.labels.event_days["upsell"] < of.labels.observed_days["upsell"]
        return np.where(seen, log_ratios[_rows_of(rows, part)], np.nan)

    names: Sequence[str] = fitting["feature_names"]
    plan = next((index for index, name in enumerate(names) if name == "plan"), None)
    plans = {encoding.feature: len(encoding.categories) for encoding in rows.encodings}.get("plan", 0)
    options: dict[str, Any] = {
        "plan_column": plan,
        "plans": plans,
        "feature_names": names,
        "seed": seed,
        "num_threads": fitting["num_threads"],
    }
    validation = known(split.validation, parts.validation)
    try:
        model = fit_amount(
            parts.train.matrix,
            known(split.train, parts.train),
            parts.validation.matrix,
            validation,
            **options,
        )
        if model.booster is None:  # means by plan have nothing to choose, so they may see validation, too
            nothing = np.full(len(validation), np.nan)
            refit = known(split.refit, parts.refit)
            model = fit_amount(parts.refit.matrix, refit, parts.validation.matrix, nothing, **options)
    except DatasetError as error:
        return None, {"left_out": f"{error}."}
    test = known(split.test, parts.test)
    if np.isnan(test).all():
        return model, {"unmeasured": "No test row has an expansion with a known amount."}
    accounts = parts.test.labels.account_id
    return model, amount_report(model, parts.test.matrix, test, accounts, samples=samples, seed=seed)


def _trajectory(
    parts: Parts,
    split: Split,
    sources: OutlookSources,
    fitting: Mapping[str, Any],
    *,
    samples: int,
    seed: int,
) -> tuple[TrajectoryHead | None, dict[str, Any]]:
    if sources.levels is None:
        return None, {"left_out": sources.absent["levels"]}
    levels = sources.levels

    def labelled(part: Part, of: PartRows) -> NDArray[np.float64]:
        return trajectory_labels(of.labels, levels, known_by=part.known_by)

    train = TrajectoryRows.known(parts.train.matrix, labelled(split.train, parts.train))
    validation = TrajectoryRows.known(parts.validation.matrix, labelled(split.validation, parts.validation))
    refit = None
    if split.refit != split.train:
        refit = TrajectoryRows.known(parts.refit.matrix, labelled(split.refit, parts.refit))
    try:
        head, choice = train_trajectory(train, validation, refit, **fitting)
    except TooLittleDataError as error:
        return None, {"left_out": f"{error}."}
    label = labelled(split.test, parts.test)
    told = ~np.isnan(label)
    facts = {"definition": TRAJECTORY_SENTENCE, "days": HORIZON_DAYS, "training": choice}
    if not told.any():
        return head, facts | {"unmeasured": "No test row's health is known at the end of the horizon."}
    shares = np.bincount((refit or train).label.astype(np.intp), minlength=len(CLASSES))
    report = trajectory_report(
        head.probabilities(parts.test.matrix[told]),
        label[told],
        parts.test.labels.account_id[told],
        shares / shares.sum(),
        samples=samples,
        seed=seed,
    )
    return head, facts | report
