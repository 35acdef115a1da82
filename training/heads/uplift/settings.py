"""How large the trees of uplift may grow; far smaller than those that predict, since effects are faint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class UpliftSettings:
    """Sizes of bags, trees and folds; as they are here they ship, and are what benchmarks judge.

    Attributes:
        bags: Resamples of the accounts; the mean over them is the estimate, their spread its standard error.
        trees: Trees a bag.
        leaves: Leaves a tree. Few, and thresholds are drawn by lot and not searched for (`extra_trees`): among many
            splits that are mostly noise, the best-looking one misleads most.
        rows_per_leaf: Fewest training rows in a leaf.
        learning_rate: Of the boosting.
        lambda_l2: Penalty on leaf values, in rows.
        feature_fraction: Share of the features that each tree may use.
        single_feature_fraction: The same where the arm is among the features, which a tree must get to see.
        single_trees: Trees of a model of one action's draws that has the arm among its features.
        shared_trees: The same of the model that all actions share.
        single_models: Resamples a bag from which S is learnt. Their mean over all bags counts; how bags differ tells of
            one resample each, as with other learners.
        retold_trees: Trees that tell again what those say of an effect, without the treatment among the features.
        folds: Folds of accounts for outcome models that never see the account that they are asked about.
        repeats: Times that the folds are drawn anew; bags take turns, so that their spread holds this chance too.
        nuisance_trees: Trees of an outcome model.
        own_model_rows: An arm with at least so many rows in a fold has an outcome model of its own.
        num_threads: Threads of LightGBM; the result does not depend on it.
    """

    bags: int = 12
    trees: int = 100
    leaves: int = 4
    rows_per_leaf: int = 300
    learning_rate: float = 0.05
    lambda_l2: float = 10.0
    feature_fraction: float = 0.2
    single_feature_fraction: float = 0.5
    single_trees: int = 150
    shared_trees: int = 250
    single_models: int = 3
    retold_trees: int = 30
    folds: int = 3
    repeats: int = 2
    nuisance_trees: int = 80
    own_model_rows: int = 3_000
    num_threads: int = 1

    def with_bags(self, bags: int) -> UpliftSettings:
        """Return the same sizes with another number of bags."""
        return replace(self, bags=bags)

    def for_judging(self) -> UpliftSettings:
        """Return smaller sizes for learners that are only compared: most of the time of training goes there."""
        return replace(self, bags=min(4, self.bags), folds=min(3, self.folds), repeats=1)

    def effect_parameters(self, rows: int, seed: int) -> dict[str, Any]:
        """Return LightGBM parameters of an effect model of *rows* rows; small data have smaller trees."""
        return self._parameters(seed) | {
            "num_leaves": self.leaves if rows >= 20 * self.rows_per_leaf else min(4, self.leaves),
            "min_data_in_leaf": max(20, min(self.rows_per_leaf, rows // 12)),
            "feature_fraction": self.feature_fraction,
            "extra_trees": True,
            "extra_seed": seed,
        }

    def single_parameters(self, rows: int, seed: int) -> dict[str, Any]:
        """Return LightGBM parameters of an outcome model of *rows* rows that has the arm among its features."""
        return self.effect_parameters(rows, seed) | {"feature_fraction": self.single_feature_fraction}

    def retelling_parameters(self, rows: int, seed: int) -> dict[str, Any]:
        """Return LightGBM parameters of trees that follow another model on *rows* rows: there is no noise to fear.

        Thresholds are searched for, and hardly anything is held back: 30 such trees follow the other model with a
        correlation of 0.99 and 0.92 of its spread on Hillstrom's visits. 100 trees as careful as those of an effect
        had 0.91 and 0.50, which was a second shrinking that nobody had asked for.
        """
        return self.effect_parameters(rows, seed) | {
            "learning_rate": 0.2,
            "lambda_l2": 1.0,
            "feature_fraction": 0.7,
            "extra_trees": False,
        }

    def outcome_parameters(self, rows: int, seed: int) -> dict[str, Any]:
        """Return LightGBM parameters of an outcome model of *rows* rows."""
        return self._parameters(seed) | {
            "num_leaves": 8,
            "min_data_in_leaf": max(20, min(100, rows // 20)),
        }

    def _parameters(self, seed: int) -> dict[str, Any]:
        # No categorical splits, no linear leaves, zeros are not missing: what the exporter takes over exactly.
        return {
            "objective": "regression",
            "learning_rate": self.learning_rate,
            "lambda_l2": self.lambda_l2,
            "feature_fraction": 0.7,
            "max_bin": 63,
            "min_data_in_bin": 5,
            "feature_pre_filter": False,
            "deterministic": True,
            "force_col_wise": True,
            "zero_as_missing": False,
            "boost_from_average": True,
            "metric": "None",
            "verbosity": -1,
            "seed": seed,
            "num_threads": self.num_threads,
        }
