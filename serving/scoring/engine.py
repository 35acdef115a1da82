"""Scores features with a bundle; the one road from a matrix to answers, live and in batch alike."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.errors import UnknownAccount
from serving.scoring.evidence import weigh_evidence
from serving.scoring.result import AccountScore
from serving.scoring.score import churn_risk_score, risk_tier
from serving.scoring.signals import Signal, SignalTables, make_signal_tables, strongest_signals

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from feature_repo.contract import ContractView
    from serving.bundle.loader import Bundle
    from serving.features.rows import FeatureRows

ACCOUNT_AGE_FEATURE = "account_age_days"
_PROBABILITY_DIGITS = 6
_Signals = tuple[tuple[Signal, ...], tuple[Signal, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class ScoringTables:
    """What scoring needs to know of a bundle, made once.

    Attributes:
        signals: See `SignalTables`.
        tiers: Tier name of every score from 0 to 100.
        horizons: Horizon names (`30d`) per head.
        score_column: Column of the scored horizon in the score head's probabilities.
        age_column: Column of the account's age in the matrix; None if the model does not read it.
        views: The contract's views.
    """

    signals: SignalTables
    tiers: tuple[str, ...]
    horizons: dict[str, tuple[str, ...]]
    score_column: int
    age_column: int | None
    views: tuple[ContractView, ...]


@functools.lru_cache(maxsize=8)
def scoring_tables(bundle: Bundle) -> ScoringTables:
    """Return the tables of *bundle*, made on the first call for it."""
    manifest = bundle.manifest
    features = manifest.contract.model_features
    names = [feature.name for feature in features]
    score_head = manifest.head(manifest.score_head)
    return ScoringTables(
        signals=make_signal_tables(features),
        tiers=tuple(risk_tier(score, manifest.tiers).name for score in range(101)),
        horizons={head.name: tuple(f"{days}d" for days in head.horizons_days) for head in manifest.heads},
        score_column=score_head.horizons_days.index(manifest.score_horizon_days),
        age_column=names.index(ACCOUNT_AGE_FEATURE) if ACCOUNT_AGE_FEATURE in names else None,
        views=manifest.contract.views,
    )


def score_rows(
    rows: FeatureRows,
    bundle: Bundle,
    now: dt.datetime,
    clock_label: str | None = None,
    *,
    signals: bool = True,
) -> list[AccountScore | UnknownAccount]:
    """Return the score of every account of *rows*, in order.

    Args:
        rows: Features as of *now*.
        bundle: The model.
        now: The time for which ages are told; aware.
        clock_label: Shown in the evidence where the time is not the machine's, such as `demonstration`.
        signals: Whether reasons are wanted; without them they are empty and the graph does less.

    Returns:
        One entry an account: its score, or an `UnknownAccount` (not raised, so that others get theirs) where
        the store holds nothing of it.

    Raises:
        ValueError: *now* is naive, or the matrix does not have the contract's columns.
    """
    if now.tzinfo is None:
        raise ValueError(f"{now!r} has no time zone; ages would be off by the machine's")
    tables = scoring_tables(bundle)
    known = np.flatnonzero(rows.known).tolist()
    everyone = len(known) == len(rows.account_ids)
    matrix = rows.matrix if everyone else rows.matrix[known]
    context = rows.context if everyone else tuple(rows.context[row] for row in known)
    results: list[AccountScore | UnknownAccount] = (
        [] if everyone else [UnknownAccount(account_id) for account_id in rows.account_ids]
    )
    if not known:
        return results
    outputs = bundle.run(matrix, contributions=signals)
    reasons: list[_Signals] = (
        [((), ())] * len(known)
        if outputs.contributions is None
        else strongest_signals(tables.signals, outputs.contributions, matrix, context)
    )
    batch = _Batch(
        account_ids=tuple(rows.account_ids[row] for row in known),
        as_of=(rows.as_of if everyone else rows.as_of[known]).tolist(),
        ages=[math.nan] * len(known) if tables.age_column is None else matrix[:, tables.age_column].tolist(),
        probabilities=outputs.probabilities,
        reasons=reasons,
    )
    scored = _assemble(batch, tables, bundle, now.timestamp(), clock_label)
    if everyone:
        return list(scored)
    for row, score in zip(known, scored, strict=True):
        results[row] = score
    return results


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is known of each of n known accounts before its score is put together."""

    account_ids: tuple[str, ...]
    as_of: list[list[float]]
    ages: list[float]
    probabilities: dict[str, NDArray[np.float64]]
    reasons: list[_Signals]


def _assemble(
    batch: _Batch, tables: ScoringTables, bundle: Bundle, now: float, clock_label: str | None
) -> list[AccountScore]:
    exact = batch.probabilities[bundle.manifest.score_head][:, tables.score_column].tolist()
    by_head = {
        head: _by_horizon(tables.horizons[head], values) for head, values in batch.probabilities.items()
    }
    nothing: list[dict[str, float]] = [{} for _ in batch.account_ids]
    churn, upsell = by_head.get("churn", nothing), by_head.get("upsell", nothing)
    tag, contract_hash = bundle.tag, bundle.manifest.contract_hash
    scores = []
    for row, account_id in enumerate(batch.account_ids):
        score = churn_risk_score(exact[row])
        raising, lowering = batch.reasons[row]
        scores.append(
            AccountScore(
                account_id=account_id,
                churn_risk_score=score,
                churn_risk_tier=tables.tiers[score],
                churn_probability=churn[row],
                upsell_probability=upsell[row],
                raising=raising,
                lowering=lowering,
                evidence=weigh_evidence(
                    tables.views, batch.as_of[row], now, account_age_days=batch.ages[row], clock=clock_label
                ),
                model=tag,
                feature_contract=contract_hash,
            )
        )
    return scores


def _by_horizon(horizons: tuple[str, ...], values: NDArray[np.float64]) -> list[dict[str, float]]:
    return [
        {horizon: round(value, _PROBABILITY_DIGITS) for horizon, value in zip(horizons, line, strict=True)}
        for line in values.tolist()
    ]
