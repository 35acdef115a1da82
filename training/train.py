"""Training from a data folder and a feature store to trained, calibrated, judged heads.

Export to a bundle is the next step and another module's; nothing here writes a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from feature_repo.contract_compiler import compile_contract
from feature_repo.services import SERVICE_NAME
from feature_repo.tables import reading
from feature_repo.tables.dataset import DatasetInfo, load_dataset_info
from training.dataset import TrainingSet, assemble, historical_features
from training.definitions import HEADS, Definitions, HeadName
from training.errors import LeakageError, TooLittleDataError
from training.evaluation import baselines
from training.evaluation.report import OURS, TestRows, evaluate
from training.evaluation.thresholds import Threshold, choose_threshold
from training.heads.train import TrainedHead, train_head
from training.labels import read_labels
from training.settings import TrainingSettings
from training.splits import Split, split_by_time
from training.trained import TrainedModels

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

MIN_EVENTS = 5
MIN_EVENTS_FOR_LEAKAGE = 10


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

    Raises:
        TooLittleDataError: Too few cutoffs, accounts or events; the message says what would be enough.
        LeakageError: A single feature tells events from non-events almost perfectly.
        DatasetError: Features and labels can't be joined.
        DataFolderError: A raw table can't be read.
        ContractError: The feature service is not in the registry.
    """
    split = split_by_time(*_days(data), definitions)
    progress(f"labels at {len(split.cutoffs)} cutoffs from {split.cutoffs[0]} to {split.cutoffs[-1]}")
    labels = read_labels(data, split.cutoffs, definitions)
    if not len(labels):
        raise TooLittleDataError(
            "no account holds a paid subscription at any cutoff; check `started_at`, `ended_at` and `is_trial`"
        )
    contract = compile_contract(store, service)
    progress(f"features of {len(labels)} accounts and cutoffs from the offline store")
    frame = historical_features(store, labels, contract)
    rows = assemble(frame, labels, contract, split.train)
    return train_on(
        rows,
        split,
        definitions,
        dataset=load_dataset_info(data),
        seed=definitions.model.seed if seed is None else seed,
        settings=settings or TrainingSettings(),
        progress=progress,
    )


def train_on(
    rows: TrainingSet,
    split: Split,
    definitions: Definitions,
    *,
    dataset: DatasetInfo,
    seed: int,
    settings: TrainingSettings,
    progress: Callable[[str], None] = _silent,
) -> TrainedModels:
    """Train and judge both heads on a training set that is already in memory; see `train`.

    Args:
        rows: Features and labels of all parts.
        split: Cutoffs of each part.
        definitions: Horizons, configurations, thresholds.
        dataset: Facts about the data folder.
        seed: Seed of everything random.
        settings: Threads, resamples, background rows.
        progress: Called with a sentence a step.
    """
    _require_events(rows, split, definitions)
    columns = _columns(rows)
    single_auc = _single_feature_auc(rows, split, definitions, columns)
    names = [column.name for column in columns]
    trained: dict[HeadName, TrainedHead] = {}
    thresholds: dict[HeadName, dict[str, float]] = {}
    reports: dict[str, Any] = {}
    for head in HEADS:
        trained[head] = train_head(
            head,
            rows.head_rows(head, split.train),
            rows.head_rows(head, split.validation),
            rows.head_rows(head, split.refit) if split.refit != split.train else None,
            definitions=definitions,
            feature_names=names,
            seed=seed,
            num_threads=settings.threads(int(rows.part(split.refit).sum())),
            progress=progress,
        )
        chosen = _thresholds(trained[head], rows, split, definitions)
        thresholds[head] = {horizon: threshold.value for horizon, threshold in chosen.items()}
        progress(f"{head}: judged on test cutoffs against three baselines")
        reports[head] = {
            "definition": definitions.sentence(head),
            "choice": trained[head].choice,
            "horizons": _judge(trained[head], rows, split, columns, single_auc, chosen, settings, seed),
            "importance": _importance(trained[head], names),
        }
    return TrainedModels(
        heads=tuple(trained[head].head for head in HEADS),
        contract=rows.contract,
        encodings=rows.encodings,
        window=split.window,
        metrics={
            "heads": reports,
            "bootstrap": {"samples": settings.bootstrap_samples, "confidence": 0.95, "resampled": "accounts"},
            "data": _data_facts(rows, split, definitions),
        },
        thresholds=thresholds,
        background=_background(rows, split, settings.background_rows, seed),
        test_predictions=_test_predictions(trained, rows, split),
        definitions=definitions,
        dataset=dataset,
        data_hash=rows.hash,
        seed=seed,
    )


def _days(data: Path) -> tuple[dt.date, dt.date]:
    """Return the first day with both usage and subscriptions, and the last complete day."""
    con = reading.connect()
    starts: list[dt.date] = []
    for table, column in (("usage_daily", "day"), ("feature_usage", "day")):
        scanned = reading.scan(con, data, table)
        if scanned is not None:
            first = scanned.aggregate(first=scanned[column].min()).to_pyarrow()["first"][0].as_py()
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


def _columns(rows: TrainingSet) -> tuple[baselines.Column, ...]:
    categories = {encoding.feature: len(encoding.categories) for encoding in rows.encodings}
    return tuple(
        baselines.Column(feature.name, categories.get(feature.name, 0))
        for feature in rows.contract.model_features
    )


def _require_events(rows: TrainingSet, split: Split, definitions: Definitions) -> None:
    horizon = definitions.horizons_days[-1]
    for head in HEADS:
        for part, cutoffs in (
            ("training", split.train),
            ("validation", split.validation),
            ("test", split.test),
        ):
            label = rows.labels.select(rows.part(cutoffs)).outcome(head, horizon)
            known = label[~np.isnan(label)]
            events = int(known.sum())
            if events < MIN_EVENTS or events == len(known):
                raise TooLittleDataError(
                    f"{head}: the {part} part ({cutoffs[0]} to {cutoffs[-1]}) has {events} events within {horizon} days "
                    f"in {len(known)} rows of accounts at risk; training needs at least {MIN_EVENTS} events, and some "
                    "rows without one, in each part. More accounts, a longer history or closer cutoffs would do."
                )


def _single_feature_auc(
    rows: TrainingSet, split: Split, definitions: Definitions, columns: tuple[baselines.Column, ...]
) -> dict[tuple[HeadName, int], NDArray[np.float64]]:
    chosen = rows.part(split.train)
    matrix, labels = rows.matrix[chosen], rows.labels.select(chosen)
    limit = definitions.leakage.max_single_feature_auc
    found: dict[tuple[HeadName, int], NDArray[np.float64]] = {}
    for head in HEADS:
        for horizon in definitions.horizons_days:
            label = labels.outcome(head, horizon)
            events = int(label.sum())
            auc = np.full(len(columns), 0.5)
            if 0 < events < len(label):
                auc = baselines.single_feature_auc(matrix, label, columns)
            guilty = np.flatnonzero(auc > limit)
            if len(guilty) and events >= MIN_EVENTS_FOR_LEAKAGE:
                named = ", ".join(f"{columns[one].name} (AUC {auc[one]:.3f})" for one in guilty)
                raise LeakageError(
                    f"{head} within {horizon} days: {named} alone ranks training events almost perfectly (limit {limit}). "
                    "It most likely holds what was known only later; check how it is built, take it out of the feature "
                    "service, or raise `leakage.max_single_feature_auc` in the definitions if it is honest."
                )
            found[head, horizon] = auc
    return found


def _thresholds(
    trained: TrainedHead, rows: TrainingSet, split: Split, definitions: Definitions
) -> dict[str, Threshold]:
    chosen = rows.part(split.validation)
    probability = trained.on_train.probabilities(rows.matrix[chosen])
    labels = rows.labels.select(chosen)
    return {
        f"{horizon}d": choose_threshold(
            labels.outcome(trained.head.name, horizon), probability[:, index], definitions.thresholds
        )
        for index, horizon in enumerate(definitions.horizons_days)
    }


def _judge(
    trained: TrainedHead,
    rows: TrainingSet,
    split: Split,
    columns: tuple[baselines.Column, ...],
    single_auc: dict[tuple[HeadName, int], NDArray[np.float64]],
    thresholds: dict[str, Threshold],
    settings: TrainingSettings,
    seed: int,
) -> dict[str, Any]:
    name = trained.head.name
    test = rows.part(split.test)
    probability = trained.head.probabilities(rows.matrix[test])
    fit, train_rows, check = (rows.part(part) for part in (split.refit, split.train, split.validation))
    longest = trained.head.horizons_days[-1]
    strength = baselines.choose_strength(
        (rows.matrix[train_rows], rows.labels.select(train_rows).outcome(name, longest)),
        (rows.matrix[check], rows.labels.select(check).outcome(name, longest)),
        columns,
    )
    found = {}
    for index, horizon in enumerate(trained.head.horizons_days):
        label = rows.labels.select(fit).outcome(name, horizon)
        yardsticks = (
            baselines.base_rate(label),
            baselines.best_single_feature(rows.matrix[fit], label, columns, single_auc[name, horizon]),
            baselines.logistic_regression(rows.matrix[fit], label, columns, strength),
        )
        truth = rows.labels.select(test).outcome(name, horizon)
        known = ~np.isnan(truth)
        found[f"{horizon}d"] = evaluate(
            TestRows(
                account_id=rows.labels.account_id[test][known],
                label=truth[known],
                probabilities={
                    OURS: probability[known, index],
                    **{one.name: one.probability(rows.matrix[test][known]) for one in yardsticks},
                },
                threshold=thresholds[f"{horizon}d"],
                notes={one.name: one.note for one in yardsticks},
            ),
            samples=settings.bootstrap_samples,
            seed=seed,
        )
    return found


def _importance(trained: TrainedHead, names: list[str]) -> dict[str, float]:
    """Return each feature's share of the gain of all splits, largest first; features without a split are left out."""
    distinct = {id(booster): booster for booster in trained.head.boosters}.values()
    gain = np.sum([booster.feature_importance("gain") for booster in distinct], axis=0)
    shares = gain / max(float(gain.sum()), 1e-12)
    return {
        names[index]: round(float(shares[index]), 4) for index in np.argsort(-shares) if shares[index] > 0
    }


def _data_facts(rows: TrainingSet, split: Split, definitions: Definitions) -> dict[str, Any]:
    parts = {"train": split.train, "validation": split.validation, "test": split.test, "refit": split.refit}
    horizon = definitions.horizons_days[-1]
    facts: dict[str, Any] = {
        "withheld_accounts": rows.labels.withheld_accounts,
        "featureless_rows": rows.featureless_rows,
    }
    for part, cutoffs in parts.items():
        labels = rows.labels.select(rows.part(cutoffs))
        facts[part] = {
            "cutoffs": [day.isoformat() for day in cutoffs],
            "rows": len(labels),
            "accounts": len(set(labels.account_id.tolist())),
            "events": {f"{head}_{horizon}d": int(np.nansum(labels.outcome(head, horizon))) for head in HEADS},
        }
    return facts


def _background(rows: TrainingSet, split: Split, limit: int, seed: int) -> NDArray[np.float64]:
    positions = np.flatnonzero(rows.part(split.refit))
    if len(positions) > limit:
        positions = np.sort(np.random.default_rng(seed).choice(positions, size=limit, replace=False))
    return rows.matrix[positions]


def _test_predictions(trained: dict[HeadName, TrainedHead], rows: TrainingSet, split: Split) -> pd.DataFrame:
    test = rows.part(split.test)
    labels = rows.labels.select(test)
    columns: dict[str, Any] = {
        "account_id": labels.account_id,
        "cutoff": labels.cutoff.astype("datetime64[s]"),
    }
    for head, one in trained.items():
        probability = one.head.probabilities(rows.matrix[test])
        for index, horizon in enumerate(one.head.horizons_days):
            columns[f"{head}_{horizon}d"] = probability[:, index]
            columns[f"{head}_{horizon}d_label"] = labels.outcome(head, horizon)
    return pd.DataFrame(columns)
