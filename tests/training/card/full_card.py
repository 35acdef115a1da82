"""A manifest with figures of every kind that a training reports, and its card."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.training.export.small_models import TRAINED_AT, make_trained
from training.card.facts import card_facts
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.decisions import Decisions, Rules
from training.evaluation.fairness import parity_gaps
from training.evaluation.report import HeldOutRows, evaluate
from training.evaluation.slices import JudgedRows, slice_report
from training.evaluation.thresholds import Stakes
from training.evaluation.uplift_curves import UpliftRows, qini_points
from training.export.bundle import export_bundle
from training.limits import load_limits
from training.threshold_definitions import ThresholdPolicy

if TYPE_CHECKING:
    from serving.bundle.manifest import Manifest
    from training.card.values import CardFacts

TAG = "keepgrow:fullcard"
ROWS = 1_500


def figure(value: float, width: float = 0.03) -> dict[str, float]:
    """Return a figure with its interval."""
    return {"value": value, "low": value - width, "high": value + width}


def judged(seed: int) -> tuple[HeldOutRows, dict[str, Any]]:
    """Return test rows of a calibrated model, and the report on them."""
    rng = np.random.default_rng(seed)
    probability = np.clip(rng.beta(1.2, 9, ROWS), 0.001, 0.9)
    label = (rng.random(ROWS) < probability).astype(np.float64)
    policy = ThresholdPolicy()
    mrr = 10.0 ** rng.uniform(1, 4, ROWS)
    stakes = Stakes.of(mrr, policy.intervention("churn"), policy.margin_ratio)
    rules = Rules.choose(label, probability, policy, stakes=stakes, segments=None)
    rows = HeldOutRows(
        account_id=np.array([f"a{number // 2}" for number in range(ROWS)], dtype=object),
        label=label,
        probabilities={
            "keepgrow": probability,
            "base_rate": np.full(ROWS, 0.1),
            "best_single_feature": np.clip(probability + rng.normal(0, 0.1, ROWS), 0.01, 0.9),
            "logistic_regression": np.clip(probability + rng.normal(0, 0.01, ROWS), 0.01, 0.9),
        },
        threshold=rules.shipped,
        notes={"best_single_feature": "events_7d (AUC 0.638 in training)"},
        decisions=Decisions(rules, mrr, stakes, None),
    )
    return rows, evaluate(rows, samples=20, seed=1)


def sliced(rows: HeldOutRows) -> dict[str, Any]:
    """Return slices by region and plan, with gaps."""
    rng = np.random.default_rng(1)
    regions = np.array(["north_america", "europe", "asia_pacific", "latin_america", "oceania"], dtype=object)
    plans = np.array(["starter", "team", "business", "enterprise"], dtype=object)
    sizes = np.array([f"{number * 50} to {number * 50 + 49} employees" for number in range(8)], dtype=object)
    columns = {
        "region": regions[rng.integers(0, 5, ROWS)],
        "plan": plans[rng.integers(0, 4, ROWS)],
        "size": sizes[rng.integers(0, 8, ROWS)],
    }
    given = JudgedRows(rows.account_id, rows.label, rows.probabilities["keepgrow"], 0.3, columns)
    gaps = parity_gaps(given, load_limits(), samples=20, seed=1)
    return {
        "horizon": "90d",
        **slice_report(given, load_limits().slices, samples=20, seed=1),
        "gaps": [gap.as_dict() for gap in gaps],
    }


def uplift() -> dict[str, Any]:
    """Return what a report says of five actions and one outcome."""
    rng = np.random.default_rng(2)
    treated = rng.random(800) < 0.5
    score = rng.normal(size=800)
    outcome = (rng.random(800) < 0.3 + 0.1 * score * treated).astype(np.float64)
    accounts = np.arange(800).astype(str).astype(object)
    rows = UpliftRows(accounts, treated, np.full(800, 0.5), outcome)
    bootstrap = AccountBootstrap(accounts, samples=40, seed=1)
    bins = [
        {"rows": 267, "estimated": 0.01 * number, "observed": figure(0.012 * number)} for number in range(3)
    ]
    ranking = ("average_effect", "qini", "auuc", "uplift_at_10%", "uplift_at_20%", "uplift_at_30%")
    action = {
        "shipped": {
            "draws": 2_000,
            "prior": {"mean": 0.1, "sd": 0.045, "scale": "churn_probability"},
            "measured": {"mean": 0.01, "standard_error": 0.01},
            "weight_of_draws": 0.8,
            "average": {"mean": 0.01, "sd": 0.01},
            "learner": "s",
        },
        "held_out": {
            "draws": 800,
            "ranking": {name: figure(0.02) for name in ranking},
            "quadrants": {
                name: figure(0.25) for name in ("persuadable", "sure_thing", "lost_cause", "sleeping_dog")
            },
            "calibration": {"bins": bins},
            "qini_curve": qini_points(rows, score, bootstrap=bootstrap),
        },
    }
    names = ("adjust_seats_within_policy", "propose_offer", "success_call", "enablement_guide", "start_trial")
    values = {kind: figure(0.9) for kind in ("ips", "snips", "doubly_robust")}
    return {
        "outcome_days": 90,
        "draws": 2_000,
        "accounts": 900,
        "outcomes": {
            "retained": {
                "actions": dict.fromkeys(names, action),
                "choice": {
                    "learner": "s",
                    "decided": False,
                    "improvement_over_averages_e6": {"s": {}, "dr": {}},
                },
                "policy": {
                    "best_single_action": "success_call",
                    "value": {"uplift": values, "best_single_action": values, "nothing": values},
                    "uplift_less_others": {"nothing": figure(0.05), "best_single_action": figure(0.01)},
                },
            }
        },
    }


def ablations() -> dict[str, Any]:
    """Return what leaving each of seven views out comes to, one of which is missed."""
    views = ["usage", "commercial", "engagement", "peers", "profile", "sentiment", "adoption"]
    found = [
        {
            "view": view,
            "features": 9,
            "roc_auc": figure(-0.05 if view == "usage" else 0.001),
            "log_loss": figure(0.004),
            "verdict": "missed" if view == "usage" else "even",
        }
        for view in views
    ]
    whole = {"roc_auc": figure(0.71), "log_loss": figure(0.24)}
    head = {"horizon": "90d", "rows": ROWS, "accounts": 750, "events": 150, "features": 63}
    return {
        "part": "test",
        "samples": 200,
        "fitted_rows": 9_990,
        "fitted_accounts": 1_010,
        "absent": ["weather"],
        "heads": {"churn": {**head, "whole": whole, "views": found}},
    }


def part(first: str, last: str, rows: int) -> dict[str, Any]:
    """Return what is told of one part of the data."""
    events = {f"{head}_{days}d": days for head in ("churn", "upsell") for days in (30, 60, 90)}
    return {
        "cutoffs": [first, last],
        "labelled_as_of": "2026-02-16",
        "rows": rows,
        "accounts": rows // 2,
        "events": events,
    }


def metrics() -> dict[str, Any]:
    """Return figures of every kind."""
    heads: dict[str, Any] = {}
    slices: dict[str, Any] = {}
    robust: dict[str, Any] = {}
    for seed, head in enumerate(("churn", "upsell")):
        rows, found = judged(seed)
        heads[head] = {
            "horizons": {"30d": found, "90d": found},
            "importance": {"events_28d_vs_baseline_seasonal_ratio": 0.6, "mrr": 0.4},
            "training": {"refitted": True},
        }
        slices[head] = sliced(rows)
        robust[head] = {
            "horizon": "90d",
            "roc_auc": figure(0.71),
            "missing_views": [
                {
                    "view": view,
                    "features": 9,
                    "roc_auc_drop": figure(0.01),
                    "mean_abs_probability_change": 0.02,
                }
                for view in ("usage", "commercial", "engagement")
            ],
            "noise": {"ratio": 0.1, "roc_auc_drop": figure(0.004), "mean_abs_probability_change": 0.013},
        }
    covered = {"nominal": 0.9, "plain": 0.9, "with_sampling": 1.0, "mean_width": 0.06}
    return {
        "heads": heads,
        "bootstrap": {"samples": 300, "confidence": 0.95, "resampled": "accounts"},
        "data": {
            "withheld_accounts": 71,
            "featureless_rows": 0,
            "train": part("2025-03-08", "2025-08-05", 13_318),
            "validation": part("2025-10-04", "2025-12-18", 7_956),
            "test": part("2026-02-16", "2026-05-02", 8_187),
            "refit": part("2025-03-08", "2025-12-18", 25_129),
        },
        "slices": slices,
        "robustness": robust,
        "uncertainty": {
            head: {"level": 0.9, "horizons": {"30d": covered, "60d": covered, "90d": covered}}
            for head in heads
        },
        "ablations": ablations(),
        "uplift": uplift(),
        "tuning": {"trials": 12, "best": {"main_effects": {"learning_rate": 0.1, "num_leaves": 2}}},
    }


@cache
def full_manifest() -> Manifest:
    """Return the manifest of random models with those figures."""
    bundle = export_bundle(make_trained(), trained_at=TRAINED_AT, parity_rows=200, code="1.0+test")
    return bundle.manifest.model_copy(update={"metrics": metrics()})


def full_facts() -> CardFacts:
    """Return the facts of its card."""
    return card_facts(full_manifest(), tag=TAG)
