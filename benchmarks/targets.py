"""What the product's threshold rules come to against its targets: precision, recall, F1, money classified correctly.

They are told of every data set, for every rule, beside what flagging nobody and flagging everybody come to: where
events are rare, nobody has most of the money right, and everybody has every recall.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.cross_validation import stratified_folds
from benchmarks.result import Figure, TargetLine
from benchmarks.shipped_trainer import definitions, fitted
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.flagging import against_targets, flagging
from training.evaluation.thresholds import Stakes, choose_threshold
from training.threshold_definitions import MODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from benchmarks.plan import Plan
    from benchmarks.tables import Table
    from training.evaluation.bootstrap import Estimate
    from training.threshold_definitions import ThresholdMode

RULES: Final = {
    "precision_first": "precision first (default)",
    "recall_first": "recall first",
    "f1": "largest F1",
    "value": "value",
}
INSTEAD: Final = {
    "best_precision": "the best short list was taken",
    "best_recall": "all events of validation had to be found",
    "none": "nobody was flagged",
}
"""What a rule did in a fold where it could not have what it asks for."""
IDLE: Final = {"nobody": "flagging nobody", "everybody": "flagging everybody"}
SHOWN: Final = (
    "flagged_ratio",
    "precision",
    "recall",
    "f1",
    "revenue_protection_accuracy",
    "value_per_account",
)
FOLDS: Final = 5
QUICK_FOLDS: Final = 2
BOOTSTRAP_SEED: Final = 0


def target_lines(group: str, report: Mapping[str, Any]) -> list[TargetLine]:
    """Return a line a threshold rule, then flagging nobody and everybody.

    Args:
        group: Head and horizon.
        report: What `training.evaluation.decisions.judge_decisions` says: `policies` and `idle`.
    """
    lines = [
        TargetLine(
            group=group,
            rule=RULES[mode],
            figures=_shown(entry["figures"]),
            verdicts={name: told["sentence"] for name, told in entry["targets"].items()},
            note="" if entry["rule"] == mode else entry["sentence"],
        )
        for mode, entry in report["policies"].items()
    ]
    return lines + [
        TargetLine(group=group, rule=title, figures=_shown(report["idle"][kind]))
        for kind, title in IDLE.items()
    ]


def cross_validated_targets(
    table: Table, plan: Plan, *, mrr: NDArray[np.float64] | None = None
) -> list[TargetLine]:
    """Return the lines of a table without a time axis, each row flagged by a head and a threshold that did not see it.

    In each fold thresholds are chosen on the fifth of the training rows that the trainer holds back for its own
    choices; the folds are those of the plan's first seed.

    Args:
        table: All rows, one a customer.
        plan: Seeds and resamples; two folds instead of five for a quick one.
        mrr: Shape (n,), currency a month; without it there are no figures of money, and no rule by value.
    """
    seed, folds = plan.seeds[0], FOLDS if plan.name == "full" else QUICK_FOLDS
    modes = [mode for mode in MODES if mode != "value" or mrr is not None]
    policy = definitions().thresholds
    stakes = None if mrr is None else Stakes.of(mrr, policy.intervention("churn"), policy.margin_ratio)
    flags = {mode: np.zeros(len(table.label), dtype=bool) for mode in modes}
    rules = {mode: Counter[str]() for mode in modes}
    fold = stratified_folds(table.label, folds=folds, seed=seed)
    for number in range(folds):
        rest, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        trained, validation = fitted(table.rows(rest), seed=seed)
        checked = table.rows(rest[validation])
        chance = trained.on_train.probabilities(checked.matrix)[:, 0]
        part = None if stakes is None else Stakes(stakes.benefit[rest[validation]], stakes.cost)
        scored = trained.head.probabilities(table.matrix[held])[:, 0]
        for mode in modes:
            chosen = choose_threshold(checked.label, chance, policy, mode=mode, stakes=part)
            flags[mode][held] = scored >= chosen.value
            rules[mode][chosen.rule] += 1
    everyone = np.ones(len(table.label), dtype=bool)
    bootstrap = AccountBootstrap(
        np.arange(len(table.label)).astype(object), samples=plan.samples, seed=BOOTSTRAP_SEED
    )

    def figures(flagged: NDArray[np.bool_]) -> dict[str, Estimate]:
        return flagging(bootstrap, table.label, flagged, mrr=mrr, stakes=stakes)

    idle = {"nobody": figures(~everyone), "everybody": figures(everyone)}
    told = {mode: figures(flagged) for mode, flagged in flags.items()}
    report = {
        "policies": {
            mode: {
                "rule": mode if rules[mode][mode] == folds else "mixed",
                "sentence": over_folds(mode, rules[mode]),
                "figures": _as_dicts(made),
                "targets": against_targets(made, policy.targets, **idle),
            }
            for mode, made in told.items()
        },
        "idle": {kind: _as_dicts(made) for kind, made in idle.items()},
    }
    return target_lines("", report)


def over_folds(mode: ThresholdMode, rules: Mapping[str, int]) -> str:
    """Return in words in how many folds *mode* had what it asks for, and what it did in the others.

    Args:
        mode: The rule that was asked for.
        rules: In how many folds each rule of `training.evaluation.thresholds.Rule` was what came of it.
    """
    found = f"what it asks for could be had in {rules.get(mode, 0)} of {sum(rules.values())} folds"
    return found + "".join(
        f"; in {rules[rule]} {instead}" for rule, instead in INSTEAD.items() if rules.get(rule)
    )


def _as_dicts(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: figure.as_dict() for name, figure in figures.items()}


def _shown(figures: Mapping[str, Any]) -> dict[str, Figure]:
    return {name: Figure.model_validate(figures[name]) for name in SHOWN if name in figures}
