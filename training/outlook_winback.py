"""Trains the win-back head on accounts that had left, and judges it on test cutoffs; says so if returns are few.

Returns are rare, and trees that read a hundred features learn the few accounts that came back by heart. So three sets
of features compete on validation: the days since the end alone, all that is known of the departure, and everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.dataset import Parts
from training.departure_columns import DAYS_FEATURE, DEPARTURE_FEATURES
from training.evaluation.outlook_report import interval_report
from training.evaluation.winback_report import RateByDays, winback_report
from training.guards import MIN_EVENTS
from training.heads.train import train_head
from training.labels_winback import WINBACK
from training.uncertainty.fit import CONFIDENCE, fit_halves, fit_uncertainty

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from training.definitions import Definitions
    from training.heads.hazard import HazardHead
    from training.heads.train import TrainedHead
    from training.splits import Split
    from training.uncertainty.intervals import Uncertainty
    from training.winback_rows import WinbackRows

FEATURE_SETS: Mapping[str, tuple[str, ...] | None] = {
    "days_since_end": (DAYS_FEATURE,),
    "departure": DEPARTURE_FEATURES,
    "all": None,
}
"""By name, the features that a head may read, None for all; of equal ones the first is taken."""
HALVES = 8
"""Pairs of halves that the width of intervals is averaged over: with so few returns one pair tells little."""
ALLOWANCE = 1.2
"""By how much standard errors are widened. What few returns keep trees from learning (fewer rounds, one shape for all
horizons) is an error that no resample shows: on planted worlds of 300 to 4,000 accounts that come back by a known law,
intervals without it held 85 % of the probabilities, with it 91 %."""


def winback_of(
    rows: WinbackRows | None,
    split: Split,
    *,
    definitions: Definitions,
    feature_names: Sequence[str],
    seed: int,
    num_threads: int,
    samples: int,
    progress: Callable[[str], None],
) -> tuple[HazardHead | None, Uncertainty | None, dict[str, Any]]:
    """Return the head and how sure it is of its probabilities, both None if returns are too few, and what is told.

    Args:
        rows: Accounts that had left at any cutoff of *split*; None if the features can't tell them.
        split: Cutoffs of each part.
        definitions: Horizons, boosting stages, and how many returns are needed.
        feature_names: Columns of the matrix.
        seed: Seed of everything random.
        num_threads: Threads of LightGBM.
        samples: Resamples of accounts.
        progress: Called with a sentence a step.
    """
    if rows is None or DAYS_FEATURE not in feature_names:
        return None, None, {"left_out": f"The feature service has no feature {DAYS_FEATURE}."}
    train, validation, test, refit = (
        rows.part(part, definitions) for part in (split.train, split.validation, split.test, split.refit)
    )
    facts: dict[str, Any] = {
        "definition": definitions.sentence(WINBACK),
        "rows": {"train": len(train.matrix), "validation": len(validation.matrix), "test": len(test.matrix)},
        "returns": {"train": train.returns, "validation": validation.returns, "test": test.returns},
        "returns_seen": train.returns + validation.returns,
        "returns_needed": definitions.winback.min_returns,
        "featureless_rows": rows.featureless_rows,
    }
    lacking = _lacking(train, validation, facts)
    if lacking:
        progress(f"win-back is left out: {lacking}")
        return None, None, {"left_out": lacking, **facts}
    fitting: dict[str, Any] = {
        "definitions": definitions,
        "feature_names": feature_names,
        "seed": seed,
        "num_threads": num_threads,
    }
    sets = _unread(feature_names)
    competing = {
        name: train_head(
            WINBACK,
            train.head_rows(unread),
            validation.head_rows(unread),
            refit.head_rows(unread) if definitions.split.refit_on_validation else None,
            progress=progress,
            compare_calibrations=True,
            **fitting,
        )
        for name, unread in sets.items()
    }
    losses = {name: float(one.choice["validation_log_loss"]) for name, one in competing.items()}
    chosen = min(losses, key=losses.__getitem__)
    trained = competing[chosen]
    parts = Parts(
        train=train.part_rows(sets[chosen]),
        validation=validation.part_rows(sets[chosen]),
        test=test.part_rows(sets[chosen]),
        refit=refit.part_rows(sets[chosen]),
    )
    uncertainty = _uncertainty(trained, parts, fitting)
    column = list(feature_names).index(DAYS_FEATURE)
    horizons = {
        f"{days}d": _judged(trained.head, at, refit, test, column, samples=samples, seed=seed)
        for at, days in enumerate(trained.head.horizons_days)
    }
    choice = {"features": chosen, "validation_log_losses": losses, **trained.choice}
    told = {
        **facts,
        "training": choice,
        "horizons": horizons,
        "uncertainty": interval_report(uncertainty, parts.test, level=CONFIDENCE),
    }
    return trained.head, uncertainty, told


def _uncertainty(trained: TrainedHead, parts: Parts, fitting: Mapping[str, Any]) -> Uncertainty:
    """Return how sure a head is that was trained on *parts*, as for other heads but for `HALVES` and `ALLOWANCE`.

    The columns that it does not read are 0 in *parts*, so no half reads them either.
    """
    seeds = np.random.SeedSequence(fitting["seed"]).generate_state(HALVES).tolist()
    halves = [fit_halves(trained, parts, **{**fitting, "seed": int(one >> 1)}) for one in seeds]
    return fit_uncertainty(trained, parts, halves=halves, allowance=ALLOWANCE, **fitting)


def _unread(feature_names: Sequence[str]) -> dict[str, list[int]]:
    """Return by set of features the columns that are not in it; of sets that come to the same columns the first."""
    found: dict[str, list[int]] = {}
    for name, read in FEATURE_SETS.items():
        unread = [at for at, feature in enumerate(feature_names) if read is not None and feature not in read]
        if unread not in found.values():
            found[name] = unread
    return found


def _lacking(train: WinbackRows, validation: WinbackRows, facts: dict[str, Any]) -> str:
    """Return in a sentence what is missing to train on; empty if nothing is."""
    seen, needed = facts["returns_seen"], facts["returns_needed"]
    if seen < needed:
        return (
            f"{seen} returns of accounts that had left are known before the test begins; win-back is learnt from "
            f"{needed} on (`winback.min_returns`)."
        )
    for name, part in (("training", train), ("validation", validation)):
        if part.returns < MIN_EVENTS:
            return f"The {name} part has {part.returns} returns of accounts that had left; it needs {MIN_EVENTS}."
        whole = part.head_rows().periods()
        if whole.events == len(whole.rows):
            return f"All accounts of the {name} part that had left came back; there is nothing to tell them from."
    return ""


def _judged(
    head: HazardHead,
    at: int,
    refit: WinbackRows,
    test: WinbackRows,
    column: int,
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of the horizon at place *at*, or why there are none."""
    days = head.horizons_days[at]
    fitted, label = refit.labels.outcome(WINBACK, days), test.labels.outcome(WINBACK, days)
    taught, told = ~np.isnan(fitted), ~np.isnan(label)
    if not told.any() or not label[told].any() or label[told].all():
        return {"unmeasured": f"Test rows whose {days} days were over do not have both outcomes."}
    rates = RateByDays.learn(refit.matrix[taught, column], fitted[taught])
    return winback_report(
        head.probabilities(test.matrix[told])[:, at],
        label[told],
        test.labels.account_id[told],
        base_rate=rates.overall,
        by_days=rates.of(test.matrix[told, column]),
        samples=samples,
        seed=seed,
    )
