"""Training from a data folder and a feature store to trained, calibrated, judged heads, stage by stage.

Export to a bundle is the next step and another module's; nothing here writes a file but what stages keep.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.contract_compiler import compile_contract
from feature_repo.services import SERVICE_NAME
from feature_repo.tables import reading
from feature_repo.tables.dataset import DatasetInfo, load_dataset_info
from training.currency import data_currency
from training.dataset import Parts, TrainingSet, assemble, historical_features
from training.definitions import HEADS, Definitions, HeadName
from training.errors import TooLittleDataError
from training.evaluation.baselines import Column
from training.evaluation.held_out import test_rows
from training.evaluation.judge import judge
from training.evaluation.scrutiny import scrutinise
from training.evaluation.segments import Segmentation
from training.evaluation.view_ablation import view_ablations
from training.export.code_version import code_version, library_versions
from training.guards import require_events, require_no_leakage
from training.heads.calibration_choice import SegmentColumn
from training.heads.train import TrainedHead, train_head
from training.identity import configuration_hash, data_hash, run_key, value_hash
from training.labels import read_labels
from training.outlook import train_outlook
from training.outlook_held_out import held_out_tables, outlook_columns
from training.outlook_sources import read_outlook_sources
from training.outlook_values import Outlook
from training.settings import TrainingSettings
from training.splits import Split, split_by_time
from training.stages import Stages
from training.support import null_view_shares
from training.trained import TrainedModels

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.heads.uplift.shrinkage import Prior
    from training.outlook_sources import OutlookSources
    from training.tuning import Tuner


def _silent(_: str) -> None:
    return


def train(
    data: Path,
    store: Any,  # noqa: ANN401 - Feast brings no types
    definitions: Definitions,
    *,
    seed: int | None = None,
    progress: Callable[[str], None] = _silent,
    settings: TrainingSettings | None = None,
    service: str = SERVICE_NAME,
    tuning: Tuner | None = None,
    features: Path | None = None,
    priors: Mapping[tuple[str, str], Prior] | None = None,
    stages: Stages | None = None,
) -> TrainedModels:
    """Train both heads on the data folder *data* with features from *store*, and judge them on later cutoffs.

    Args:
        data: A data folder; subscriptions and accounts are read for labels.
        store: A Feast store with the definitions applied and features built for the folder.
        definitions: What is predicted, and how it is split and trained.
        seed: Overrides `definitions.model.seed`.
        progress: Called with a sentence a step.
        settings: Threads, resamples, background rows; from the environment if None.
        service: Name of the feature service.
        tuning: Looks for better boosting stages first, if given.
        features: Folder of the built features, from which the health trajectory is labelled; without it there is none.
        priors: Declared effects by (action, outcome), to which uplift is shrunk; sceptical ones if not given.
        stages: Times stages and keeps them for another attempt; nothing is kept if None. What was read is read anew by
            every attempt, since only that tells whether it is the same.

    Raises:
        TooLittleDataError: Too few cutoffs, accounts or events; the message says what would be enough.
        LeakageError: A single feature tells events from non-events almost perfectly.
        DatasetError: Features and labels can't be joined, or money is in several currencies.
        DataFolderError: A raw table can't be read.
        ContractError: The feature service is not in the registry.
    """
    stages = stages or Stages(progress=progress)
    currency = data_currency(data)
    split = split_by_time(*usable_days(data), definitions)
    progress(f"labels at {len(split.cutoffs)} cutoffs from {split.cutoffs[0]} to {split.cutoffs[-1]}")

    def read_rows() -> TrainingSet:
        labels = read_labels(data, split.cutoffs, definitions)
        if not len(labels):
            raise TooLittleDataError(
                "no account holds a paid subscription at any cutoff; check `started_at`, `ended_at` and `is_trial`"
            )
        contract = compile_contract(store, service)
        progress(f"features of {len(labels)} accounts and cutoffs from the offline store")
        frame = historical_features(store, labels, contract)
        return assemble(frame, labels, contract, split.train.cutoffs)

    rows = stages.run("labels and features", read_rows)
    sources = stages.run(
        "amounts, health and draws",
        lambda: read_outlook_sources(
            data, store, rows, definitions, features=features, priors=priors or {}, progress=progress
        ),
    )
    models = train_on(
        rows,
        split,
        definitions,
        dataset=load_dataset_info(data),
        seed=definitions.model.seed if seed is None else seed,
        settings=settings or TrainingSettings(),
        progress=progress,
        sources=sources,
        tuning=tuning,
        stages=stages,
    )
    return dataclasses.replace(models, currency=currency)


def train_on(
    rows: TrainingSet,
    split: Split,
    definitions: Definitions,
    *,
    dataset: DatasetInfo,
    seed: int,
    settings: TrainingSettings,
    progress: Callable[[str], None] = _silent,
    sources: OutlookSources | None = None,
    tuning: Tuner | None = None,
    stages: Stages | None = None,
) -> TrainedModels:
    """Train and judge both heads on a training set that is already in memory; see `train`.

    Args:
        rows: Features and labels of all parts.
        split: Cutoffs of each part.
        definitions: Horizons, boosting stages, thresholds.
        dataset: Facts about the data folder.
        seed: Seed of everything random.
        settings: Threads, resamples, background rows.
        progress: Called with a sentence a step.
        sources: What the outlook is learnt from; None trains the heads alone.
        tuning: Looks for better boosting stages first, if given.
        stages: Times stages and keeps them; nothing is kept if None.
    """
    stages = stages or Stages(progress=progress)
    code = f"{code_version()} {value_hash(library_versions())}"
    stages.begin(run_key(rows, sources, split, definitions, settings, seed=seed, code=code))
    parts = rows.parts(split, definitions)
    require_events(parts, definitions)
    columns = _columns(rows)
    single_auc = stages.run("leakage", lambda: require_no_leakage(parts.train, columns, definitions))
    segmentation = Segmentation.choose(columns, rows.encodings, definitions.thresholds.segment_features)
    found: dict[str, Any] = {}
    if tuning is not None:
        tuned = stages.run(
            tuning.name,
            lambda: tuning(
                rows, split, definitions,
                seed=seed, settings=settings, folder=stages.folder, code=code, progress=progress,
            ),
        )  # fmt: skip
        definitions, found["tuning"] = tuned.definitions, tuned.report
    stages.within(value_hash(definitions))
    trained: dict[HeadName, TrainedHead] = {}
    thresholds: dict[HeadName, dict[str, float]] = {}
    reports: dict[str, Any] = {}
    for head in HEADS:
        trained[head] = stages.run(
            f"{head} head",
            functools.partial(
                train_head,
                head,
                parts.train.head_rows(head),
                parts.validation.head_rows(head),
                parts.refit.head_rows(head) if definitions.split.refit_on_validation else None,
                definitions=definitions,
                feature_names=[column.name for column in columns],
                seed=seed,
                num_threads=settings.threads(len(parts.refit.matrix)),
                progress=progress,
                segments=None
                if segmentation is None
                else SegmentColumn(segmentation.position, len(segmentation.names)),
                compare_calibrations=True,
            ),
        )
        progress(f"{head}: judged on test cutoffs against three baselines")
        judgement = stages.run(
            f"{head} judgement",
            functools.partial(
                judge,
                trained[head],
                parts,
                columns,
                single_auc,
                policy=definitions.thresholds,
                samples=settings.bootstrap_samples,
                seed=seed,
                encodings=rows.encodings,
            ),
        )
        thresholds[head] = {horizon: one.value for horizon, one in judgement.thresholds.items()}
        reports[head] = {
            "definition": definitions.sentence(head),
            "training": trained[head].choice,
            "horizons": judgement.horizons,
            "importance": _importance(trained[head], columns),
        }
    progress("slices, gaps between them, and what upsets the heads")
    scrutiny = stages.run(
        "slices and robustness",
        lambda: scrutinise(
            [trained[head].head for head in HEADS],
            parts.test,
            rows.contract,
            rows.encodings,
            thresholds,
            horizon_days=definitions.score_horizon_days,
            samples=settings.bootstrap_samples,
            seed=seed,
        ),
    )
    ablations = stages.run(
        "ablations",
        lambda: view_ablations(
            trained,
            rows,
            parts,
            definitions=definitions,
            samples=settings.bootstrap_samples,
            seed=seed,
            num_threads=settings.threads(len(parts.refit.matrix)),
            progress=progress,
        ),
    )
    outlook = Outlook()
    if sources is not None:
        outlook = train_outlook(
            trained,
            rows,
            parts,
            split,
            sources,
            definitions=definitions,
            seed=seed,
            settings=settings,
            progress=progress,
            stages=stages,
        )
    return TrainedModels(
        heads=tuple(trained[head].head for head in HEADS),
        contract=rows.contract,
        encodings=rows.encodings,
        window=split.window,
        metrics={
            "heads": reports,
            "bootstrap": {"samples": settings.bootstrap_samples, "confidence": 0.95, "resampled": "accounts"},
            "data": _data_facts(rows, parts, split, definitions),
            **scrutiny,
            "ablations": ablations,
            **outlook.metrics,
            **found,
        },
        thresholds=thresholds,
        background=_background(parts.refit.matrix, settings.background_rows, seed),
        test_predictions=test_rows(
            parts.test.labels,
            parts.test.matrix,
            rows.contract,
            rows.encodings,
            {
                head: (one.head.horizons_days, one.head.probabilities(parts.test.matrix))
                for head, one in trained.items()
            },
        ).assign(**({} if sources is None else outlook_columns(rows, parts, split, sources))),
        held_out={} if sources is None else held_out_tables(rows, split, outlook, seed=seed),
        definitions=definitions,
        dataset=dataset,
        data_hash=data_hash(rows, sources),
        configuration_hash=configuration_hash(definitions, settings, sources),
        seed=seed,
        outlook=outlook,
        cost=stages.cost(),
        null_views=null_view_shares(parts.refit.matrix, rows.contract),
    )


def usable_days(data: Path) -> tuple[dt.date, dt.date]:
    """Return the first day with both usage and subscriptions, and the last complete day, of a data folder.

    Raises:
        TooLittleDataError: There is no usage, or no subscription.
        DataFolderError: A file can't be read.
    """
    con = reading.connect()
    starts: list[dt.date] = []
    for table in ("usage_daily", "feature_usage"):
        scanned = reading.scan(con, data, table)
        if scanned is not None:
            first = scanned.aggregate(first=scanned["day"].min()).to_pyarrow()["first"][0].as_py()
            starts += [first] if first is not None else []
    subscriptions = reading.scan(con, data, "subscriptions")
    bought = None
    if subscriptions is not None:
        bought = (
            subscriptions.aggregate(first=subscriptions.started_at.min()).to_pyarrow()["first"][0].as_py()
        )
    if bought is None or not starts:
        raise TooLittleDataError(
            f"{data}: training needs rows in subscriptions and in usage_daily or feature_usage"
        )
    return max(min(starts), bought.date()), reading.end_day(con, data)


def _columns(rows: TrainingSet) -> tuple[Column, ...]:
    categories = {encoding.feature: len(encoding.categories) for encoding in rows.encodings}
    return tuple(
        Column(feature.name, categories.get(feature.name, 0)) for feature in rows.contract.model_features
    )


def _importance(trained: TrainedHead, columns: Sequence[Column]) -> dict[str, float]:
    """Return each feature's share of the gain of all splits, largest first, without those that have none."""
    distinct = {id(booster): booster for booster in trained.head.boosters}.values()
    gain = np.sum([booster.feature_importance("gain") for booster in distinct], axis=0)
    shares = gain / max(float(gain.sum()), 1e-12)
    order = [int(index) for index in np.argsort(-shares) if shares[index] > 0]
    return {columns[index].name: round(float(shares[index]), 4) for index in order}


def _data_facts(rows: TrainingSet, parts: Parts, split: Split, definitions: Definitions) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "withheld_accounts": rows.labels.withheld_accounts,
        "featureless_rows": rows.featureless_rows,
    }
    for name in ("train", "validation", "test", "refit"):
        labels, part = getattr(parts, name).labels, getattr(split, name)
        facts[name] = {
            "cutoffs": [day.isoformat() for day in part.cutoffs],
            "labelled_as_of": part.known_by.isoformat(),
            "rows": len(labels),
            "accounts": len(set(labels.account_id.tolist())),
            "events": {
                f"{head}_{horizon}d": int(np.nansum(labels.outcome(head, horizon)))
                for head in HEADS
                for horizon in definitions.horizons_days
            },
        }
    return facts


def _background(matrix: NDArray[np.float64], limit: int, seed: int) -> NDArray[np.float64]:
    if len(matrix) <= limit:
        return matrix
    return matrix[np.sort(np.random.default_rng(seed).choice(len(matrix), size=limit, replace=False))]
