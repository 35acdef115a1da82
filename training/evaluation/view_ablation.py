"""What each view of features is worth, measured in every training: cheaply enough to be measured always.

Each head is boosted again on the training part, once with all views and once without each, with as many shared trees
as its own training chose and without a search of its own, on so many rows at most. All are judged on the same test
rows, so that the difference of two figures has a much narrower interval than either. `training.evaluation.ablation`
trains every reduced model as the whole one is, which takes as long as so many trainings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from training.evaluation import metrics
from training.evaluation.ablation import constant_features, groups_by_view
from training.evaluation.bootstrap import AccountBootstrap
from training.heads import boosting
from training.heads.calibration import fit_platt
from training.heads.hazard import sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from training.dataset import Parts, TrainingSet
    from training.definitions import Definitions, HeadName
    from training.evaluation.bootstrap import Estimate
    from training.heads.train import TrainedHead

MOST_ROWS: Final = 10_000
"""Rows that are fitted at most; whole accounts are drawn until there are so many."""
MOST_SAMPLES: Final = 200
"""Resamples of accounts behind each interval at most."""


def view_ablations(
    trained: Mapping[HeadName, TrainedHead],
    rows: TrainingSet,
    parts: Parts,
    *,
    definitions: Definitions,
    samples: int,
    seed: int,
    num_threads: int = 1,
    most_rows: int = MOST_ROWS,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return what ROC AUC and log loss come to without each view, at the horizon of the score.

    Args:
        trained: Heads, whose shared trees per stage are taken over.
        rows: All rows, for the contract and for columns that never vary.
        parts: Train is fitted, validation calibrates, test is compared on.
        definitions: Horizons and boosting stages.
        samples: Resamples of accounts, `MOST_SAMPLES` at most.
        seed: Seed of the choice of accounts, of boosting and of resampling.
        num_threads: Threads of LightGBM; the result does not depend on it.
        most_rows: Training rows that are fitted at most.
        progress: Called with a sentence a head.

    Returns:
        JSON-able: `part`, `samples`, `fitted_rows`, `fitted_accounts`, `absent` (views none of whose features vary),
        and `heads`: per head `horizon`, `rows`, `accounts`, `events`, `features`, `whole` (`roc_auc`, `log_loss`, with
        intervals) and `views`, the most missed first: `view`, `features`, `roc_auc` and `log_loss` (figure without the
        view less figure with it), and `verdict`: `missed`, `even`, `better without` or `mixed`. A head without events
        to compare on has `unmeasured` instead of figures. Without two views that vary there is `unmeasured` alone.
    """
    constant = set(constant_features(rows))
    varying = {
        view: tuple(name for name in features if name not in constant)
        for view, features in groups_by_view(rows).items()
    }
    views = {view: features for view, features in varying.items() if features}
    if len(views) < 2:  # noqa: PLR2004 - without one of them there must be something left
        return {"unmeasured": "Not measured: the features that vary are all of one view."}
    chosen = _some_accounts(parts.train.labels.account_id, most_rows, seed)
    names = [feature.name for feature in rows.contract.model_features]
    found: dict[str, Any] = {
        "part": "test",
        "samples": min(samples, MOST_SAMPLES),
        "fitted_rows": int(chosen.sum()),
        "fitted_accounts": len(set(parts.train.labels.account_id[chosen].tolist())),
        "absent": [view for view, features in varying.items() if not features],
        "heads": {},
    }
    for head, one in trained.items():
        progress(f"{head}: without each of {len(views)} views")
        fit = _Fit(head, one, parts, chosen, definitions, seed, num_threads)
        found["heads"][head] = _head(fit, names, views, samples=min(samples, MOST_SAMPLES), seed=seed)
    return found


class _Fit:
    """Fits one head on some columns and says its probabilities of test rows whose label is known."""

    def __init__(
        self,
        head: HeadName,
        trained: TrainedHead,
        parts: Parts,
        chosen: NDArray[np.bool_],
        definitions: Definitions,
        seed: int,
        num_threads: int,
    ) -> None:
        days = definitions.score_horizon_days
        self.days = days if days in definitions.horizons_days else definitions.horizons_days[-1]
        rounds = trained.choice["shared_rounds"]
        self._stages = [
            (boosting.parameters(stage, seed=seed, num_threads=num_threads), int(rounds[stage.name]))
            for stage in definitions.model.stages
        ]
        some = replace(
            parts.train, matrix=parts.train.matrix[chosen], labels=parts.train.labels.select(chosen)
        )
        self._train = some.head_rows(head)
        self._checked = parts.validation.outcome(head, self.days)
        self.judged = parts.test.outcome(head, self.days)

    @property
    def enough(self) -> bool:
        """Whether there are events and others both to calibrate and to compare on."""
        return all(0 < label.sum() < len(label) for _, label, _ in (self._checked, self.judged))

    def probabilities(self, columns: NDArray[np.intp], names: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of every judged row, shape (n,), by a model of *columns* alone."""
        narrow = replace(self._train, matrix=np.ascontiguousarray(self._train.matrix[:, columns]))
        fitted = narrow.booster_rows([names[column] for column in columns])
        booster = None
        for params, rounds in self._stages:
            booster = boosting.fit_rounds(fitted, params, rounds, booster) if rounds else booster
        if booster is None:
            return np.full(len(self.judged[1]), float(self._checked[1].mean()))

        def margin(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(booster.predict(matrix[:, columns], raw_score=True), dtype=np.float64)

        platt = fit_platt(margin(self._checked[0]), self._checked[1])
        return sigmoid(platt.slope * margin(self.judged[0]) + platt.intercept)


def _head(
    fit: _Fit, names: Sequence[str], views: Mapping[str, Sequence[str]], *, samples: int, seed: int
) -> dict[str, Any]:
    _, label, accounts = fit.judged
    told = {
        "horizon": f"{fit.days}d",
        "rows": len(label),
        "accounts": len(set(accounts.tolist())),
        "events": int(label.sum()),
        "features": sum(len(features) for features in views.values()),
    }
    if not fit.enough:
        return {**told, "unmeasured": "Not measured: validation or test holds no event, or nothing else."}
    place = {name: number for number, name in enumerate(names)}
    everything = np.array(sorted(place[name] for features in views.values() for name in features))
    whole = fit.probabilities(everything, names)
    bootstrap = AccountBootstrap(accounts, samples=samples, seed=seed)
    draws = {name: _with_value(bootstrap, metric, label, whole) for name, metric in _METRICS.items()}
    found = []
    for view, features in views.items():
        left = np.setdiff1d(everything, [place[name] for name in features])
        without = fit.probabilities(left, names)
        change = {
            name: bootstrap.summarise(_with_value(bootstrap, metric, label, without) - draws[name])
            for name, metric in _METRICS.items()
        }
        found.append(
            {
                "view": view,
                "features": len(features),
                **{name: figure.as_dict() for name, figure in change.items()},
                "verdict": _verdict(change),
            }
        )
    return {
        **told,
        "whole": {name: bootstrap.summarise(values).as_dict() for name, values in draws.items()},
        "views": sorted(found, key=lambda one: one["roc_auc"]["value"]),
    }


_METRICS: Mapping[str, Callable[..., NDArray[np.float64]]] = {
    "roc_auc": metrics.roc_auc,
    "log_loss": metrics.log_loss,
}


def _with_value(
    bootstrap: AccountBootstrap,
    metric: Callable[..., NDArray[np.float64]],
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return *metric* on the rows as they are, then on every resample."""
    return np.append(
        metric(label, probability), bootstrap.draws(lambda weight: metric(label, probability, weight))
    )


def _verdict(change: Mapping[str, Estimate]) -> str:
    worse = change["roc_auc"].high < 0 or change["log_loss"].low > 0
    better = change["roc_auc"].low > 0 or change["log_loss"].high < 0
    if worse == better:
        return "mixed" if worse else "even"
    return "missed" if worse else "better without"


def _some_accounts(account_id: NDArray[np.object_], most_rows: int, seed: int) -> NDArray[np.bool_]:
    """Return which rows to fit: those of accounts in random order, as long as there are no more than *most_rows*."""
    if len(account_id) <= most_rows:
        return np.ones(len(account_id), dtype=bool)
    accounts, of_row, counts = np.unique(account_id.astype(str), return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(accounts))
    within = np.cumsum(counts[order]) <= most_rows
    keep = np.zeros(len(accounts), dtype=bool)
    keep[order[within]] = True
    return np.asarray(keep[of_row])
