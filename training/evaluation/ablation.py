"""What each group of features is worth: the model without it, and the model of it alone, beside the whole model.

All are trained in the same way on the same rows and judged on the same accounts, so that the difference of two
figures has a much narrower interval than either figure. A view that is missed when it is left out earns its place;
one that is strong alone and not missed says what others say too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from training.definitions import HEADS
from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.heads.train import HeadRows, train_head

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from training.dataset import PartRows, TrainingSet
    from training.definitions import Definitions, HeadName
    from training.splits import Split

Kind = Literal["without", "alone"]
METRICS: Mapping[str, Callable[..., NDArray[np.float64]]] = {
    "auc": metrics.roc_auc,
    "average_precision": metrics.average_precision,
    "log_loss": metrics.log_loss,
}
BETTER_IS_LESS = frozenset({"log_loss"})


@dataclass(frozen=True, slots=True)
class Ablation:
    """One reduced model beside the whole one, for one head and horizon.

    Attributes:
        head: Head name.
        horizon_days: The horizon.
        group: The group of features, such as a view.
        kind: Whether the group was left out, or stood alone.
        features: Number of features in the group.
        whole: By metric: the whole model's figure.
        reduced: By metric: the reduced model's figure.
        change: By metric: reduced less whole, with the 95 % interval over resampled accounts, paired.
    """

    head: HeadName
    horizon_days: int
    group: str
    kind: Kind
    features: int
    whole: dict[str, float]
    reduced: dict[str, float]
    change: dict[str, Estimate]

    @property
    def verdict(self) -> str:
        """`missed` if the model is surely worse by AUC or log loss, `better without` if surely better, else `even`."""
        worse = self.change["auc"].high < 0 or self.change["log_loss"].low > 0
        better = self.change["auc"].low > 0 or self.change["log_loss"].high < 0
        if worse == better:
            return "mixed" if worse else "even"
        if self.kind == "alone":
            return "worse alone" if worse else "better alone"
        return "missed" if worse else "better without"


def groups_by_view(rows: TrainingSet) -> dict[str, tuple[str, ...]]:
    """Return the model features of each view, in the contract's order."""
    groups: dict[str, tuple[str, ...]] = {}
    for feature in rows.contract.model_features:
        groups[feature.view] = (*groups.get(feature.view, ()), feature.name)
    return groups


def constant_features(rows: TrainingSet) -> tuple[str, ...]:
    """Return the model features that have at most one value in all rows, missing counted as a value."""
    names = [feature.name for feature in rows.contract.model_features]
    return tuple(
        name
        for name, column in zip(names, rows.matrix.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) + bool(np.isnan(column).any()) <= 1
    )


def ablate(
    rows: TrainingSet,
    split: Split,
    definitions: Definitions,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    heads: Sequence[HeadName] = HEADS,
    kinds: Sequence[Kind] = ("without", "alone"),
    part: Literal["validation", "test"] = "test",
    seed: int,
    samples: int = 500,
    num_threads: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Ablation]:
    """Train every head as a whole, without each group, and on each group alone; compare them on one part.

    Boosters are fitted to the training part and stopped and calibrated by validation, without the final fit on both:
    the comparison needs no more.

    Args:
        rows: Features and labels of all parts.
        split: Cutoffs of each part.
        definitions: Horizons and boosting stages.
        groups: By group: its features. The views if None.
        heads: Heads to train.
        kinds: Which reduced models to train.
        part: Where to compare. Choose features on validation only; test is for reporting.
        seed: Seed of training and resampling.
        samples: Resamples of the accounts.
        num_threads: Threads of LightGBM.
        progress: Called with a sentence a model.

    Raises:
        ValueError: A group names a feature that the rows do not have, or all of them.
    """
    names = [feature.name for feature in rows.contract.model_features]
    chosen = groups_by_view(rows) if groups is None else groups
    parts = rows.parts(split, definitions)
    judged = parts.validation if part == "validation" else parts.test
    variants = _variants(names, chosen, kinds)
    found = []
    for head in heads:

        def fitted(columns: NDArray[np.intp], head: HeadName = head) -> dict[int, NDArray[np.float64]]:
            trained = train_head(
                head,
                _narrow(parts.train.head_rows(head), columns),
                _narrow(parts.validation.head_rows(head), columns),
                None,
                definitions=definitions,
                feature_names=[names[column] for column in columns],
                seed=seed,
                num_threads=num_threads,
                progress=lambda _: None,
            )
            probabilities = trained.on_train.probabilities(judged.matrix[:, columns])
            return dict(zip(trained.on_train.horizons_days, probabilities.T, strict=True))

        whole = fitted(np.arange(len(names)))
        progress(f"{head}: whole model of {len(names)} features")
        for (group, kind), columns in variants.items():
            reduced = fitted(columns)
            found += [
                _compared(
                    judged, head, horizon, group, kind, len(chosen[group]),
                    whole[horizon], reduced[horizon], samples=samples, seed=seed,
                )
                for horizon in whole
            ]  # fmt: skip
            progress(f"{head} {kind} {group}: {found[-1].verdict}")
    return found


def markdown(found: Sequence[Ablation], horizon_days: int) -> str:
    """Return a Markdown table of the ablations at one horizon, a line a head, group and kind."""
    lines = [
        "| head | features | change of AUC | change of average precision | change of log loss | |",
        "|---|---|---|---|---|---|",
    ]
    for head in dict.fromkeys(one.head for one in found):
        here = [one for one in found if one.head == head and one.horizon_days == horizon_days]
        if here:
            whole = here[0].whole
            lines.append(
                f"| {head} | whole model | {whole['auc']:.3f} | {whole['average_precision']:.3f} | "
                f"{whole['log_loss']:.4f} | |"
            )
        for one in here:
            cells = " | ".join(_cell(one.change[name], name) for name in METRICS)
            lines.append(f"| {head} | {one.kind} {one.group} ({one.features}) | {cells} | {one.verdict} |")
    return "\n".join(lines) + "\n"


def _cell(change: Estimate, name: str) -> str:
    digits = 4 if name in BETTER_IS_LESS else 3
    return f"{change.value:+.{digits}f} [{change.low:+.{digits}f}, {change.high:+.{digits}f}]"


def _variants(
    names: Sequence[str], groups: Mapping[str, Sequence[str]], kinds: Sequence[Kind]
) -> dict[tuple[str, Kind], NDArray[np.intp]]:
    place = {name: number for number, name in enumerate(names)}
    variants: dict[tuple[str, Kind], NDArray[np.intp]] = {}
    for group, features in groups.items():
        unknown = [name for name in features if name not in place]
        if unknown or not features or len(set(features)) == len(names):
            raise ValueError(
                f"group {group!r}: {', '.join(unknown) or 'none or all'} of the model's features; a group holds some"
            )
        inside = np.zeros(len(names), dtype=bool)
        inside[[place[name] for name in features]] = True
        for kind in kinds:
            variants[group, kind] = np.flatnonzero(inside if kind == "alone" else ~inside)
    return variants


def _narrow(rows: HeadRows, columns: NDArray[np.intp]) -> HeadRows:
    return HeadRows(np.ascontiguousarray(rows.matrix[:, columns]), rows.intervals)


def _compared(
    judged: PartRows,
    head: HeadName,
    horizon: int,
    group: str,
    kind: Kind,
    features: int,
    whole: NDArray[np.float64],
    reduced: NDArray[np.float64],
    *,
    samples: int,
    seed: int,
) -> Ablation:
    outcome = judged.labels.outcome(head, horizon)
    known = ~np.isnan(outcome)
    label, before, after = outcome[known], whole[known], reduced[known]
    bootstrap = AccountBootstrap(judged.labels.account_id[known], samples=samples, seed=seed)

    def difference(name: str) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        metric = METRICS[name]
        return lambda weight: metric(label, after, weight) - metric(label, before, weight)

    return Ablation(
        head=head,
        horizon_days=horizon,
        group=group,
        kind=kind,
        features=features,
        whole={name: float(metric(label, before)[0]) for name, metric in METRICS.items()},
        reduced={name: float(metric(label, after)[0]) for name, metric in METRICS.items()},
        change={name: bootstrap.estimate(difference(name)) for name in METRICS},
    )
