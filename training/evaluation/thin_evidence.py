"""Is evidence called thin where answers are worse, and is data that was spoiled on purpose recognised?

The reasons are those that serving gives for a row of features: unlike the training data, a view that says nothing, an
account that is too new, an age that is not known. (That a view has no row at all, or an old one, is told by its time
stamp and not by features.) Each is judged on the test rows by itself and all of them together, and on test rows that
are spoiled in a known way. That a rule recognises what it is a rule about is no evidence that it should: what speaks
for it is the error of the answers that it takes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.miscalibration import observed_to_expected
from training.evaluation.refusal import planted_strangers, refusal_report
from training.evaluation.reliability import calibration_error, equal_count_bins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract
    from training.support import SupportRegion

NEW_ACCOUNT_DAYS = 28
ORDINARY_NULL_SHARE = 0.05
"""As in serving; a test holds both to the same answers."""
AGE_FEATURE = "account_age_days"
ANY = "any_reason"
_SPOILED_ROWS = 500
_STRANGE_FEATURES = 3
_LEAST_EVENTS = 5


@dataclass(frozen=True, slots=True, eq=False)
class ThinRules:
    """When serving calls the evidence of a row of features thin.

    Attributes:
        region: What training covered.
        views: Columns of each view that should say something.
        age_column: Column of the account's age; None if the models do not read it.
    """

    region: SupportRegion
    views: dict[str, list[int]]
    age_column: int | None

    @classmethod
    def of(
        cls, region: SupportRegion, contract: FeatureContract, null_shares: Mapping[str, float]
    ) -> ThinRules:
        """Return the rules of a bundle.

        Args:
            region: What training covered.
            contract: Views and features.
            null_shares: By view, the share of training rows in which all of it was null.
        """
        columns: dict[str, list[int]] = {}
        names = [feature.name for feature in contract.model_features]
        for column, feature in enumerate(contract.model_features):
            if null_shares.get(feature.view, 1.0) <= ORDINARY_NULL_SHARE:
                columns.setdefault(feature.view, []).append(column)
        return cls(region, columns, names.index(AGE_FEATURE) if AGE_FEATURE in names else None)

    def reasons(self, matrix: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
        """Return by reason which of n rows have it, shape (n,) each, and `any_reason`.

        Args:
            matrix: Float64, shape (n, model features), missing is NaN.
        """
        null = np.isnan(matrix)
        missing = np.zeros(len(matrix), dtype=np.bool_)
        for columns in self.views.values():
            missing |= null[:, columns].all(axis=1)
        found = {
            "unlike_training": self.region.outside(matrix) > self.region.limit,
            "missing_view": missing,
        }
        if self.age_column is not None:
            age = matrix[:, self.age_column]
            found |= {"new_account": age < NEW_ACCOUNT_DAYS, "unknown_age": np.isnan(age)}
        found[ANY] = np.logical_or.reduce(list(found.values()))
        return found


def reasons_report(
    rules: ThinRules,
    matrix: NDArray[np.float64],
    probability: NDArray[np.float64],
    label: NDArray[np.float64],
    account_id: NDArray[np.object_],
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return by reason how many test rows have it, and the errors of their answers beside those of rows without it.

    Args:
        rules: When evidence is thin.
        matrix: Shape (n, model features), test rows whose label is known.
        probability: Shape (n,).
        label: Shape (n,), 0 or 1.
        account_id: Shape (n,).
        samples: Resamples of accounts.
        seed: Their seed.

    Returns:
        Per reason `rows`, `accounts`, `events`, `share`; where rows with and without it have five events each, what
        `refusal_report` tells, and `calibration` of `refused` and `answered` rows: observed over expected, and the
        expected calibration error with what noise adds taken off. Otherwise `unmeasured` says why.
    """
    found = {}
    for reason, refused in rules.reasons(matrix).items():
        told: dict[str, Any] = {
            "rows": int(refused.sum()),
            "accounts": len(set(account_id[refused].tolist())),
            "events": int(label[refused].sum()),
            "share": round(float(refused.mean()), 6) if len(refused) else 0.0,
        }
        if min(label[refused].sum(), label[~refused].sum()) < _LEAST_EVENTS:
            found[reason] = told | {
                "unmeasured": f"{told['events']} of the test rows' events are of such rows; "
                f"{_LEAST_EVENTS} of rows with and without are needed to tell an error"
            }
            continue
        figures = refusal_report(refused, probability, label, account_id, samples=samples, seed=seed)
        figures.pop("refused_share")
        figures.pop("rows")
        calibration = {
            side: _calibration(probability[rows], label[rows], account_id[rows], samples=samples, seed=seed)
            for side, rows in (("refused", refused), ("answered", ~refused))
        }
        found[reason] = told | figures | {"calibration": calibration}
    return found


def _calibration(
    probability: NDArray[np.float64],
    label: NDArray[np.float64],
    account_id: NDArray[np.object_],
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    bootstrap = AccountBootstrap(account_id, samples=samples, seed=seed)
    error = calibration_error(bootstrap, label, probability, equal_count_bins(probability))
    ratio = bootstrap.estimate(lambda weight: observed_to_expected(label, probability, weight))
    return {
        "observed_to_expected": ratio.as_dict(),
        "expected_calibration_error": error["expected_calibration_error_debiased"].as_dict(),
    }


def spoiled_report(rules: ThinRules, matrix: NDArray[np.float64], *, seed: int) -> dict[str, Any]:
    """Return how many rows spoiled in each of several ways are recognised, by the reason that is about it and by any.

    Only rows that are not thin as they are get spoiled, so that nothing is recognised by accident.

    Args:
        rules: When evidence is thin.
        matrix: Shape (n, model features), test rows.
        seed: Of what is moved where.
    """
    sound = matrix[~rules.reasons(matrix)[ANY]]
    sound = sound[:: max(1, len(sound) // _SPOILED_ROWS)]
    if not len(sound):
        return {}
    rng = np.random.default_rng(seed)
    ways: dict[str, tuple[str, NDArray[np.float64]]] = {}
    telling = int((rules.region.weight > 0).sum())
    for count in sorted({1, min(_STRANGE_FEATURES, telling)} if telling else set()):
        moved = planted_strangers(sound, rules.region.weight, features=count, seed=seed)
        ways[f"{count} values moved far out"] = ("unlike_training", moved)
    for view, columns in rules.views.items():
        emptied = sound.copy()
        emptied[:, columns] = np.nan
        ways[f"view {view} emptied"] = ("missing_view", emptied)
    if rules.views:
        # Half of the values of every view are lost, which empties none: no reason is about that.
        thinned = sound.copy()
        thinned[rng.random(thinned.shape) < 0.5] = np.nan  # noqa: PLR2004 -- a half
        if rules.age_column is not None:
            thinned[:, rules.age_column] = sound[:, rules.age_column]
        ways["half of all values lost"] = ("missing_view", thinned)
    if rules.age_column is not None:
        young, ageless = sound.copy(), sound.copy()
        young[:, rules.age_column] = rng.integers(0, NEW_ACCOUNT_DAYS, len(sound))
        ageless[:, rules.age_column] = np.nan
        ways["account made new"] = ("new_account", young)
        ways["age lost"] = ("unknown_age", ageless)
    found = {}
    for way, (reason, spoiled) in ways.items():
        told = rules.reasons(spoiled)
        found[way] = {
            "rows": len(spoiled),
            "reason": reason,
            "recognised": round(float(told[reason].mean()), 6),
            "recognised_by_any": round(float(told[ANY].mean()), 6),
        }
    return found
