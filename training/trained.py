"""What training hands to export: heads with all that a bundle must say about them.

It is a value: nothing here trains, reads or writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from training.outlook_values import Outlook

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract
    from feature_repo.tables.dataset import DatasetInfo
    from serving.bundle.manifest import Encoding, TrainingCost, TrainingWindow
    from training.definitions import Definitions, HeadName
    from training.heads.hazard import HazardHead


@dataclass(frozen=True, slots=True)
class TrainedModels:
    """The outcome of one training.

    Attributes:
        heads: Trained heads, `churn` before `upsell`. Intervals of one head may share one booster object (compare with
            `is`) and differ by calibration only.
        contract: The features that were trained on; matrix columns are `contract.model_features` in that order.
        encodings: Categories of every string feature of the matrix, learnt on the training part.
        window: First and last cutoff of each part, and the embargo between them.
        metrics: JSON-able; see `training.evaluation.report`.
        thresholds: Chosen threshold per head and horizon: `{"churn": {"30d": 0.12, ...}, ...}`.
        background: Float64, shape (up to 5,000, model features): a seeded sample of training rows, for leaf-averaged
            contributions and for parity.
        test_predictions: One row a test account and cutoff; see `training.evaluation.held_out.test_rows`.
        definitions: What was predicted, and how it was split.
        dataset: Facts about the data folder.
        data_hash: `sha256:` digest of all that was read: features, labels, amounts, health levels and draws.
        seed: The seed that was used.
        outlook: Intervals, support, and all that lies beyond probabilities by horizon; nothing of it if not trained.
        configuration_hash: `sha256:` digest of definitions, settings and declared priors; None if it is not known.
        cost: What it took so far, or None if nobody measured.
        null_views: See `training.support.null_view_shares`; None if not known.
        currency: ISO 4217 code of the data's MRR; None if not known.
        held_out: Further rows that bundles are compared on; see `training.outlook_held_out.held_out_tables`.
    """

    heads: tuple[HazardHead, ...]
    contract: FeatureContract
    encodings: tuple[Encoding, ...]
    window: TrainingWindow
    metrics: dict[str, Any]
    thresholds: dict[HeadName, dict[str, float]]
    background: NDArray[np.float64]
    test_predictions: pd.DataFrame
    definitions: Definitions
    dataset: DatasetInfo
    data_hash: str
    seed: int
    outlook: Outlook = field(default_factory=Outlook)
    configuration_hash: str | None = None
    cost: TrainingCost | None = None
    null_views: dict[str, float] | None = None
    currency: str | None = None
    held_out: dict[str, pd.DataFrame] = field(default_factory=dict)

    def head(self, name: HeadName) -> HazardHead:
        """Return the head called *name*.

        Raises:
            KeyError: It was not trained.
        """
        for head in self.heads:
            if head.name == name:
                return head
        raise KeyError(name)
