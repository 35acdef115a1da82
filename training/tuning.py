"""Tunes the boosting stages on validation rows with Optuna, within a number of trials or minutes; resumable.

What is minimised is the log loss (nats a person-period, calibrated) on validation of heads that were fitted to the
training part; test rows are never looked at. The first trial is the stages as they are, so that the outcome is no
worse on validation; validation is used often, so its gain flatters, and the test figures tell the truth.

Trial n draws from a sampler seeded with n, and learns from finished trials alone: the same trials give the same stages,
whether or not they were interrupted in between or in their middle. (Minutes are not so: how many trials fit into them
differs. A trial that is under way when they are over is stopped after its round of boosting, and counts for nothing.)

Two processes at the same search would take each other's trials for those of a killed run, so only one may be at it; its
lock ends with the process. Other searches may go on in the same folder at the same time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from training.definitions import HEADS, BoostingStage, Definitions
from training.heads.boosting import asked_each_round
from training.heads.train import train_head
from training.identity import value_hash
from training.tuning_journal import open_study

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from training.dataset import TrainingSet
    from training.settings import TrainingSettings
    from training.splits import Split

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_STUMP_LEAVES = 2
_STARTUP_TRIALS = 8
_SECONDS_A_MINUTE = 60
_AS_GIVEN = "as_given"


class _TimeIsUpError(Exception):
    """The minutes are over in the middle of a trial."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When tuning ends; whichever comes first.

    Attributes:
        trials: Finished trials, those of an interrupted run included; None for no limit.
        minutes: Minutes of this run; a trial that has begun is stopped within a round of boosting. None for no limit.
    """

    trials: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Insist on an end.

        Raises:
            ValueError: There is no limit, or one that allows nothing.
        """
        if self.trials is None and self.minutes is None:
            raise ValueError("tuning needs a number of trials or of minutes")
        if (self.trials is not None and self.trials < 1) or (self.minutes is not None and self.minutes <= 0):
            raise ValueError("tuning needs at least one trial, and more than no minutes")

    def over(self, seconds: float) -> bool:
        """Return whether the minutes are over after *seconds*."""
        return self.minutes is not None and seconds >= self.minutes * _SECONDS_A_MINUTE


@dataclass(frozen=True, slots=True)
class Tuning:
    """What came of tuning.

    Attributes:
        definitions: The given ones with the best stages; the given ones themselves if no trial was finished.
        report: JSON-able: `trials`, `pruned`, `loss_before`, `loss_after`, `validation_log_loss` (per head, of the best
            trial), `best_trial` among the finished ones, and `stages`. Losses and best trial are None if no trial was
            finished.
    """

    definitions: Definitions
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tuner:
    """Tunes within a budget; what `training.train.train` takes.

    Attributes:
        budget: When it ends.
        folder: Where trials are kept for good, or None to keep them as long as stages of the training are.
    """

    budget: Budget
    folder: Path | None = None

    @property
    def name(self) -> str:
        """What the search is called; another budget may find other stages."""
        limits = {"trials": self.budget.trials, "minutes": self.budget.minutes}
        return "tuning, " + " or ".join(
            f"{limit:g} {of}" for of, limit in limits.items() if limit is not None
        )

    def __call__(
        self,
        rows: TrainingSet,
        split: Split,
        definitions: Definitions,
        *,
        seed: int,
        settings: TrainingSettings,
        folder: Path | None,
        code: str,
        progress: Callable[[str], None],
    ) -> Tuning:
        """Look for better stages; *folder* counts if the tuner has none of its own. See `tune`."""
        return tune(
            rows,
            split,
            definitions,
            budget=self.budget,
            seed=seed,
            settings=settings,
            folder=self.folder or folder,
            code=code,
            progress=progress,
        )


def tune(
    rows: TrainingSet,
    split: Split,
    definitions: Definitions,
    *,
    budget: Budget,
    seed: int,
    settings: TrainingSettings,
    folder: Path | None = None,
    code: str = "",
    progress: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Tuning:
    """Look for better boosting stages.

    Args:
        rows: Features and labels of all parts.
        split: Cutoffs of each part.
        definitions: Where the search begins, and what is predicted.
        budget: When it ends.
        seed: Seed of everything random.
        settings: Threads.
        folder: Where trials are kept, so that an interrupted search goes on; in memory if None. Searches on other data,
            cutoffs, definitions, seeds or code share the folder without touching each other.
        code: Version of code and libraries.
        progress: Called with a sentence a trial.
        clock: Returns seconds.

    Raises:
        InUseError: Another process is at the same search in *folder*; the message says which.
    """
    begin = clock()
    parts = rows.parts(split, definitions)
    names = [feature.name for feature in rows.contract.model_features]
    threads = settings.threads(len(parts.train.matrix))
    name = value_hash(rows, split, definitions, seed, code)

    def in_time() -> None:
        if budget.over(clock() - begin):
            raise _TimeIsUpError

    def loss(trial: optuna.Trial, tried: Definitions) -> float:
        total = 0.0
        for step, head in enumerate(HEADS):
            trained = train_head(
                head,
                parts.train.head_rows(head),
                parts.validation.head_rows(head),
                None,
                definitions=tried,
                feature_names=names,
                seed=seed,
                num_threads=threads,
                progress=lambda _: None,
            )
            value = float(trained.choice["validation_log_loss"])
            trial.set_user_attr(head, value)
            total += value
            trial.report(total, step)
            if step + 1 < len(HEADS) and trial.should_prune():
                raise optuna.TrialPruned
        return total

    with open_study(folder, name, startup_trials=_STARTUP_TRIALS) as study:
        while not _spent(study, budget, clock() - begin):
            number = len(study.get_trials(deepcopy=False, states=_FINISHED))
            study.sampler = optuna.samplers.TPESampler(seed=seed + number, n_startup_trials=_STARTUP_TRIALS)
            if not number and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                study.enqueue_trial(_as_params(definitions), user_attrs={_AS_GIVEN: True})
            trial = study.ask()
            tried = _with_stages(
                definitions, [_suggested(stage, trial) for stage in definitions.model.stages]
            )
            try:
                with asked_each_round(in_time):
                    value = loss(trial, tried if number else definitions)
            except optuna.TrialPruned:
                study.tell(trial, state=TrialState.PRUNED)
                progress(f"tuning: trial {number} pruned after {HEADS[0]}")
                continue
            except _TimeIsUpError:
                study.tell(trial, state=TrialState.FAIL)
                progress(f"tuning: trial {number} stopped, the {budget.minutes:g} minutes are over")
                break
            study.tell(trial, value)
            progress(
                f"tuning: trial {number} has validation log loss {value:.5f}, best {study.best_value:.5f}"
            )
        return _outcome(study, definitions)


def _spent(study: optuna.Study, budget: Budget, seconds: float) -> bool:
    finished = len(study.get_trials(deepcopy=False, states=_FINISHED))
    return (budget.trials is not None and finished >= budget.trials) or budget.over(seconds)


def _with_stages(definitions: Definitions, stages: Sequence[BoostingStage]) -> Definitions:
    """Return *definitions* with other stages, made anew: a copy would keep the old hash."""
    values = definitions.model_dump()
    values["model"]["stages"] = [stage.model_dump() for stage in stages]
    return Definitions.model_validate(values)


def _suggested(stage: BoostingStage, trial: optuna.Trial) -> BoostingStage:
    """Return *stage* as the trial has it; a stage of stumps, a sum of one curve a feature, stays that."""
    low, high = _ranges(stage)["num_leaves"]
    return stage.model_copy(
        update={
            "learning_rate": trial.suggest_float(
                f"{stage.name}.learning_rate", *_ranges(stage)["learning_rate"], log=True
            ),
            "num_leaves": (
                stage.num_leaves
                if stage.num_leaves == _STUMP_LEAVES
                else trial.suggest_int(f"{stage.name}.num_leaves", int(low), int(high), log=True)
            ),
            "min_child_samples": trial.suggest_int(
                f"{stage.name}.min_child_samples",
                *(int(end) for end in _ranges(stage)["min_child_samples"]),
                log=True,
            ),
            "lambda_l2": trial.suggest_float(
                f"{stage.name}.lambda_l2", *_ranges(stage)["lambda_l2"], log=True
            ),
            "feature_fraction": trial.suggest_float(
                f"{stage.name}.feature_fraction", *_ranges(stage)["feature_fraction"]
            ),
            "bagging_fraction": trial.suggest_float(
                f"{stage.name}.bagging_fraction", *_ranges(stage)["bagging_fraction"]
            ),
        }
    )


def _ranges(stage: BoostingStage) -> dict[str, tuple[float, float]]:
    """Return where each value of *stage* is looked for; wide enough to hold what it is now."""
    usual: dict[str, tuple[float, float]] = {
        "learning_rate": (0.02, 0.3),
        "num_leaves": (3, 31),
        "min_child_samples": (10, 300),
        "lambda_l2": (0.05, 50.0),
        "feature_fraction": (0.3, 1.0),
        "bagging_fraction": (0.5, 1.0),
    }
    found = {}
    for name, (low, high) in usual.items():
        now = float(getattr(stage, name))
        found[name] = (min(low, now) if now > 0 else low, max(high, now))
    return found


def _as_params(definitions: Definitions) -> dict[str, float]:
    params: dict[str, float] = {}
    for stage in definitions.model.stages:
        for name, (low, _) in _ranges(stage).items():
            if name != "num_leaves" or stage.num_leaves != _STUMP_LEAVES:
                params[f"{stage.name}.{name}"] = max(getattr(stage, name), low)
    return params


def _outcome(study: optuna.Study, definitions: Definitions) -> Tuning:
    trials = study.get_trials(deepcopy=False, states=_FINISHED)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        return Tuning(definitions, _report(definitions, 0, 0))
    first = next(trial for trial in complete if trial.user_attrs.get(_AS_GIVEN))
    best = min(complete, key=lambda trial: (trial.values[0], trial.number))
    stages = []
    for stage in definitions.model.stages:
        prefix = f"{stage.name}."
        chosen = {
            name.removeprefix(prefix): value for name, value in best.params.items() if name.startswith(prefix)
        }
        stages.append(stage if best is first else stage.model_copy(update=chosen))
    found = _with_stages(definitions, stages)
    report = _report(found, len(trials), len(trials) - len(complete))
    report |= {
        "loss_before": first.values[0],
        "loss_after": best.values[0],
        "validation_log_loss": {head: best.user_attrs[head] for head in HEADS},
        "best_trial": trials.index(best),
    }
    return Tuning(found, report)


def _report(definitions: Definitions, trials: int, pruned: int) -> dict[str, Any]:
    return {
        "trials": trials,
        "pruned": pruned,
        "loss_before": None,
        "loss_after": None,
        "validation_log_loss": {},
        "best_trial": None,
        "stages": [stage.model_dump() for stage in definitions.model.stages],
    }
