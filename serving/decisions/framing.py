"""Makes a decision frame out of the features and the score of one account; live and in batch alike."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np

from serving.decisions.frame import DecisionFrame, Effect

if TYPE_CHECKING:
    from serving.bundle.manifest import Manifest
    from serving.features.rows import ContextValue, FeatureRows
    from serving.scoring.outlook import Outlook
    from serving.scoring.result import AccountScore


class FrameMaker:
    """Makes frames of accounts that were scored by one bundle."""

    def __init__(self, manifest: Manifest) -> None:
        contract = manifest.contract
        self._columns = [(feature.name, feature.dtype) for feature in contract.model_features]
        self._limits = np.array([view.limit_seconds for view in contract.views], dtype=np.float64)
        self._score_horizon = manifest.score_horizon
        self._effects = () if manifest.effects is None else manifest.effects.columns
        self._effects_window = None if manifest.effects is None else manifest.effects.window_days
        self._classes = () if manifest.trajectory is None else manifest.trajectory.classes

    def features(self, rows: FeatureRows, index: int) -> dict[str, ContextValue]:
        """Return every feature of the account at *index* by name, in its own type; None where missing."""
        values: dict[str, ContextValue] = {}
        for (name, dtype), value in zip(self._columns, rows.matrix[index].tolist(), strict=True):
            if not math.isfinite(value):
                values[name] = None
            elif dtype == "Int64":
                values[name] = int(value)
            elif dtype == "Bool":
                values[name] = bool(value)
            else:
                values[name] = value
        values.update(rows.context[index])
        return values

    def fresh_until(self, rows: FeatureRows, index: int) -> dt.datetime | None:
        """Return when the first view of the account at *index* goes stale, or None if a view has no row."""
        first = float((rows.as_of[index] + self._limits).min())
        return None if math.isnan(first) else dt.datetime.fromtimestamp(first, dt.UTC)

    def frame(
        self,
        rows: FeatureRows,
        index: int,
        score: AccountScore,
        *,
        now: dt.datetime,
        surface: str | None = None,
    ) -> DecisionFrame:
        """Return the frame of the account at *index* of *rows*.

        Args:
            rows: Features of some accounts.
            index: Which of them.
            score: That account's score, with its outlook if effects that were learnt are to count.
            now: Time of the decision, aware.
            surface: Where an action would be shown; None for anywhere.
        """
        outlook = score.outlook
        return DecisionFrame(
            account_id=rows.account_ids[index],
            now=now,
            surface=surface,
            features=self.features(rows, index),
            churn_probability=score.churn_probability,
            upsell_probability=score.upsell_probability,
            score_horizon=self._score_horizon,
            evidence_status=score.evidence.status,
            evidence=score.evidence.to_dict(),
            fresh_until=self.fresh_until(rows, index),
            model=score.model,
            feature_contract=score.feature_contract,
            effects={} if outlook is None else self._effects_of(outlook),
            effects_window_days=None if outlook is None else self._effects_window,
            extra_mrr_ratio=None if outlook is None else outlook.extra_mrr_ratio,
            trajectory={} if outlook is None else dict(zip(self._classes, outlook.trajectory, strict=False)),
            winback_probability=score.winback_probability,
        )

    def _effects_of(self, outlook: Outlook) -> dict[str, dict[str, Effect]]:
        effects: dict[str, dict[str, Effect]] = {}
        told = zip(self._effects, outlook.effects, outlook.effect_errors, strict=True)
        for column, mean, error in told:
            effect = Effect(mean, error, column.basis, column.learner, column.draws)
            effects.setdefault(column.action, {})[column.outcome] = effect
        return effects
