"""What a training reports of each head besides its quality: slices, gaps between them, and what upsets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.evaluation.fairness import parity_gaps, unmeasured
from training.evaluation.robustness import RobustnessRows, robustness
from training.evaluation.slices import JudgedRows, slice_columns, slice_report
from training.limits import load_limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract
    from serving.bundle.manifest import Encoding
    from training.dataset import PartRows
    from training.heads.hazard import HazardHead
    from training.limits import Limits


def scrutinise(
    heads: Sequence[HazardHead],
    test: PartRows,
    contract: FeatureContract,
    encodings: Sequence[Encoding],
    thresholds: Mapping[Any, Mapping[str, float]],
    *,
    horizon_days: int,
    samples: int,
    seed: int,
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Return `slices` and `robustness` of every head on test rows, for the manifest's metrics.

    Args:
        heads: Trained heads.
        test: Test rows.
        contract: What the matrix columns are.
        encodings: Categories of string features.
        thresholds: Per head and horizon (`90d`).
        horizon_days: The horizon that heads are looked at; a head without it at its longest.
        samples: Resamples of accounts.
        seed: Their seed, and that of the noise.
        limits: What gaps are held against; the default file's values if None.

    Returns:
        JSON-able: `{"slices": {head: {"horizon", "threshold", "overall", "columns", "gaps", "not_measured"}},
        "robustness": {head: {"horizon", "roc_auc", "missing_views", "noise"}}}`; see `slice_report`, `Gap.as_dict`,
        `Unmeasured.as_dict` and `robustness`.
    """
    limits = limits or load_limits()
    found: dict[str, Any] = {"slices": {}, "robustness": {}}
    for head in heads:
        days = horizon_days if horizon_days in head.horizons_days else head.horizons_days[-1]
        column = head.horizons_days.index(days)
        matrix, label, accounts = test.outcome(head.name, days)
        rows = JudgedRows(
            account_id=accounts,
            label=label,
            probability=head.probabilities(matrix)[:, column],
            threshold=thresholds[head.name][f"{days}d"],
            columns=slice_columns(matrix, contract, encodings),
        )
        gaps = parity_gaps(rows, limits, samples=samples, seed=seed, heads=len(heads))
        found["slices"][head.name] = {
            "horizon": f"{days}d",
            **slice_report(rows, limits.slices, samples=samples, seed=seed),
            "gaps": [gap.as_dict() for gap in gaps],
            "not_measured": [one.as_dict() for one in unmeasured(rows.columns, gaps, limits)],
        }

        def predict(
            changed: NDArray[np.float64], head: HazardHead = head, column: int = column
        ) -> NDArray[np.float64]:
            return head.probabilities(changed)[:, column]

        given = RobustnessRows(accounts, label, matrix, contract, predict)
        found["robustness"][head.name] = {
            "horizon": f"{days}d",
            **robustness(given, samples=samples, seed=seed),
        }
    return found
