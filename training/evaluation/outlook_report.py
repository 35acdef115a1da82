"""What is said of intervals, of refusal and of the long horizon on test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.coverage import GROUPS, coverage_by_group, group_residuals, mean_errors
from training.evaluation.refusal import planted_strangers, refusal_report
from training.evaluation.thin_evidence import reasons_report, spoiled_report
from training.heads.long_horizon import long_probability, pieces_seen

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from training.dataset import PartRows
    from training.evaluation.thin_evidence import ThinRules
    from training.heads.hazard import HazardHead
    from training.heads.long_horizon import LongInterval
    from training.uncertainty.intervals import Uncertainty

_STRANGERS = 500
_STRANGE_FEATURES = 3
_LONG_GROUPS = 5


def interval_report(sure: Uncertainty, test: PartRows, *, level: float) -> dict[str, Any]:
    """Return how often groups of test rows had the rate that their intervals hold, and how far off they lay.

    Args:
        sure: Of one head.
        test: Test rows.
        level: Nominal coverage.
    """
    return {
        "level": level,
        "method": "leaf bootstrap of accounts, widened by split halves",
        "rank": max(factors.shape[1] for factors in sure.factors),
        "explained": round(sure.explained, 6),
        "scale": [round(value, 6) for value in sure.scale],
        "floor": [round(value, 6) for value in sure.floor],
        "horizons": _coverage(sure, test, level) if len(test.matrix) >= GROUPS else {},
    }


def _coverage(sure: Uncertainty, test: PartRows, level: float) -> dict[str, Any]:
    """Return the figures of each horizon of which enough test rows are known; there are at least `GROUPS` rows."""
    head = sure.head
    probability = head.probabilities(test.matrix)
    low, high = sure.interval(test.matrix)
    errors_of_mean = mean_errors(sure, test.matrix)
    horizons: dict[str, Any] = {}
    for index, days in enumerate(head.horizons_days):
        label = test.labels.outcome(head.name, days)
        known = ~np.isnan(label)
        if known.sum() < GROUPS:
            continue
        found = coverage_by_group(
            probability[known, index],
            low[known, index],
            high[known, index],
            label[known],
            z=sure.z,
            nominal=level,
        )
        places = np.flatnonzero(known)
        residuals = group_residuals(
            probability[known, index],
            label[known],
            test.labels.account_id[known],
            lambda rows, places=places, index=index: errors_of_mean(places[rows], index),  # type: ignore[misc]
            z=sure.z,
            nominal=level,
        )
        horizons[f"{days}d"] = {**found.to_dict(), "residuals": residuals.to_dict()}
    return horizons


def support_report(
    rules: ThinRules,
    head: HazardHead,
    test: PartRows,
    *,
    horizon_days: int,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return whether refused rows would have been answered worse, and the share of spoiled rows refused.

    The figures of rows unlike the training data stand by themselves; `reasons` has every reason of thin evidence, and
    `spoiled` what is recognised of rows spoiled on purpose (see `training.evaluation.thin_evidence`).

    Args:
        rules: When evidence is thin.
        head: Whose error is looked at.
        test: Test rows.
        horizon_days: A horizon of *head*.
        samples: Resamples of accounts.
        seed: Their seed, and that of the strangers.
    """
    region = rules.region
    label = test.labels.outcome(head.name, horizon_days)
    known = ~np.isnan(label)
    refused = region.outside(test.matrix) > region.limit
    column = head.horizons_days.index(horizon_days)
    probability = head.probabilities(test.matrix[known])[:, column]
    accounts = test.labels.account_id[known]
    found = refusal_report(refused[known], probability, label[known], accounts, samples=samples, seed=seed)
    telling = int((region.weight > 0).sum())
    moved = min(_STRANGE_FEATURES, telling)
    strangers = test.matrix[:: max(1, len(test.matrix) // _STRANGERS)]
    if moved:
        strange = planted_strangers(strangers, region.weight, features=moved, seed=seed)
        found["strangers"] = {
            "rows": len(strange),
            "moved_features": moved,
            "refused_share": round(float((region.outside(strange) > region.limit).mean()), 6),
        }
    found["limit"] = round(region.limit, 6)
    found["reasons"] = reasons_report(
        rules, test.matrix[known], probability, label[known], accounts, samples=samples, seed=seed
    )
    found["spoiled"] = spoiled_report(rules, test.matrix, seed=seed)
    return found


def long_report(
    head: HazardHead,
    interval: LongInterval,
    rows: PartRows,
    fitted_by: dt.date,
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return expansions past the last horizon that came after the fit, against those expected.

    A year is longer than what lies behind most test cutoffs, so the pieces of the interval are judged by themselves:
    those of any cutoff that were over only after *fitted_by* taught the interval nothing.

    Args:
        head: The upsell head.
        interval: What comes after its last horizon.
        rows: Rows of all cutoffs, labelled as at the end of the data.
        fitted_by: First day of which the fit knew nothing.
        samples: Resamples of accounts.
        seed: Their seed.
    """
    labels = rows.labels
    reach = labels.days_until(fitted_by)
    edges = interval.edges(head.horizons_days[-1])
    periods = pieces_seen(labels.event_days[head.name], labels.observed_days[head.name], edges, reach)
    log_odds = head.log_odds(rows.matrix)[:, -1]
    piece = 1.0 - (1.0 - interval.hazard(log_odds)) ** (1.0 / interval.pieces)
    due, seen = periods.weight * piece[periods.rows], periods.weight * periods.event
    test = reach <= 0
    found: dict[str, Any] = {
        "days": interval.end_days,
        "fitted_events": interval.events,
        "pieces": interval.pieces,
        "seen_pieces": interval.seen_pieces,
        "mean_probability": round(float(long_probability(head, interval, rows.matrix[test]).mean()), 6)
        if test.any()
        else None,
        "judged_cutoffs": len(np.unique(labels.cutoff[periods.rows])),
        "observed": int(seen.sum()),
        "expected": round(float(due.sum()), 6),
    }
    if not len(periods.rows):
        return found | {
            "unmeasured": "No piece of this interval was over between the fit and the end of the data."
        }
    bootstrap = AccountBootstrap(labels.account_id[periods.rows], samples=samples, seed=seed)

    def ratio(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((weight @ seen) / (weight @ due))

    groups = np.array_split(np.argsort(piece[periods.rows], kind="stable"), _LONG_GROUPS)
    lived = [(group, float(periods.weight[group].sum())) for group in groups if len(group)]
    return found | {
        "observed_to_expected": bootstrap.estimate(ratio).as_dict(),
        "reliability": [
            {
                "predicted": round(float(due[group].sum()) / weight, 6),
                "observed": round(float(seen[group].sum()) / weight, 6),
            }
            for group, weight in lived
        ],
    }
