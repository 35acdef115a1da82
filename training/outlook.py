"""Trains what a bundle says beyond probabilities by horizon, part by part; a part that data can't bear is left out.

The parts: how sure each head is, which accounts are unlike the training data, expansion within a year, how much MRR
grows, where health goes, when accounts that have left come back, and what actions change. A part that is left out says
why in the metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.errors import DatasetError, TooLittleDataError
from training.evaluation.outlook_report import interval_report, long_report, support_report
from training.evaluation.thin_evidence import ThinRules
from training.heads.amount import AmountModel, amount_report, fit_amount
from training.heads.long_horizon import LongInterval, fit_long_interval
from training.outlook_outcomes import effects_by_outcome
from training.outlook_trajectory import trajectory_of
from training.outlook_values import Outlook
from training.outlook_winback import winback_of
from training.stages import Stages
from training.support import fit_support, null_view_shares
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
    from training.uncertainty.fit import HalfHeads
    from training.uncertainty.intervals import Uncertainty


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
    stages: Stages | None = None,
) -> Outlook:
    """Train and judge all parts, each a stage.

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
        stages: Times stages and keeps them; nothing is kept if None.
    """
    run = (stages or Stages()).run
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
    halves, uncertainty, metrics["uncertainty"] = run(
        "uncertainty", lambda: _uncertainty(trained, parts, fitting)
    )
    boosters = [booster for one in trained.values() for booster in one.head.boosters]
    support = fit_support(
        parts.train.matrix, parts.validation.matrix, boosters, open_features=_open_features(rows)
    )
    metrics["support"] = run(
        "support",
        lambda: support_report(
            ThinRules.of(support, rows.contract, null_view_shares(parts.refit.matrix, rows.contract)),
            trained["churn"].head,
            parts.test,
            horizon_days=definitions.score_horizon_days,
            **chosen,
        ),
    )
    long_interval, metrics["long_horizon"] = run(
        "expansion within a year", lambda: _long(trained["upsell"], rows, parts, split, definitions, **chosen)
    )
    amount, metrics["amount"] = run(
        "amounts", lambda: _amount(rows, parts, split, sources.log_ratios, fitting, **chosen)
    )
    progress("where health goes")
    trajectory, metrics["trajectory"] = run(
        "trajectory",
        lambda: trajectory_of(trained["churn"].head, rows, parts, split, sources, fitting, **chosen),
    )
    progress("when accounts that have left come back")
    winback, winback_uncertainty, metrics["winback"] = run(
        "win-back",
        lambda: winback_of(
            sources.winback,
            split,
            samples=settings.bootstrap_samples,
            progress=progress,
            **fitting,
        ),
    )
    effects, metrics["uplift"] = effects_by_outcome(
        trained["churn"], halves["churn"], sources, run=run, settings=settings, progress=progress, **chosen
    )
    return Outlook(
        uncertainty=dict(uncertainty),
        support=support,
        long_interval=long_interval,
        amount=amount,
        trajectory=trajectory,
        effects=effects,
        winback=winback,
        winback_uncertainty=winback_uncertainty,
        metrics=metrics,
    )


def _uncertainty(
    trained: Mapping[HeadName, TrainedHead], parts: Parts, fitting: Mapping[str, Any]
) -> tuple[dict[HeadName, HalfHeads], dict[HeadName, Uncertainty], dict[str, Any]]:
    """Return heads of half the accounts, how sure each head is, and what is told of it."""
    halves = {name: fit_halves(one, parts, **fitting) for name, one in trained.items()}
    sure = {
        name: fit_uncertainty(one, parts, halves=[halves[name]], **fitting) for name, one in trained.items()
    }
    return (
        halves,
        sure,
        {name: interval_report(one, parts.test, level=CONFIDENCE) for name, one in sure.items()},
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
        return np.where(of.labels.happened("upsell"), log_ratios[rows.in_part(part)], np.nan)

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
