"""Scores features with a bundle; the one road from a matrix to answers, live and in batch alike."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.errors import UnknownAccount
from serving.scoring.evidence import EvidenceScale
from serving.scoring.expansion import ExpansionLine, expansion_driver
from serving.scoring.null_views import ExpectedViews
from serving.scoring.outlook import outlooks
from serving.scoring.result import AccountScore
from serving.scoring.score import PROBABILITY_DIGITS, churn_risk_score, risk_tier
from serving.scoring.signals import Reasons, SignalTables, make_signal_tables, strongest_signals
from serving.scoring.support import Support
from serving.scoring.verification.compiled import Verification, verification_for
from serving.scoring.winback import Departures, winbacks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle, Outputs
    from serving.features.rows import ContextValue, FeatureRows
    from serving.scoring.evidence import Evidence
    from serving.scoring.result import Intervals
    from serving.scoring.sayings import Saying

ACCOUNT_AGE_FEATURE = "account_age_days"
LOG_ODDS_DIGITS = 9


@dataclass(frozen=True, slots=True, eq=False)
class ScoringTables:
    """What scoring needs to know of a bundle, made once.

    Attributes:
        signals: See `SignalTables`.
        base: What contributions start from, as answers show it; None if the bundle does not tell.
        tiers: Tier name of every score from 0 to 100.
        horizons: Horizon names (`30d`) per head.
        score_column: Column of the scored horizon in the score head's probabilities.
        age_column: Column of the account's age in the matrix; None if the model does not read it.
        evidence: Weighs evidence by the contract's views.
        support: Tells accounts that are unlike those of training; None if the bundle does not say.
        expansion: Tells accounts that are ready to expand; likewise.
        verification: Checks what the models say.
        departures: Tells accounts that have left; None if the bundle says nothing of them.
    """

    signals: SignalTables
    base: Mapping[str, float] | None
    tiers: tuple[str, ...]
    horizons: dict[str, tuple[str, ...]]
    score_column: int
    age_column: int | None
    evidence: EvidenceScale
    support: Support | None
    expansion: ExpansionLine | None
    verification: Verification
    departures: Departures | None


@functools.lru_cache(maxsize=8)
def scoring_tables(bundle: Bundle) -> ScoringTables:
    """Return the tables of *bundle*, made on the first call for it."""
    manifest = bundle.manifest
    features = manifest.contract.model_features
    names = [feature.name for feature in features]
    score_head = manifest.head(manifest.score_head)
    start = score_head.contributions_base
    verification = verification_for(bundle.verification, manifest)
    return ScoringTables(
        signals=make_signal_tables(features),
        base=None if start is None else shown_base(start.log_odds, start.probability),
        tiers=tuple(risk_tier(score, manifest.tiers).name for score in range(101)),
        horizons={head.name: tuple(f"{days}d" for days in head.horizons_days) for head in manifest.heads},
        score_column=score_head.horizons_days.index(manifest.score_horizon_days),
        age_column=names.index(ACCOUNT_AGE_FEATURE) if ACCOUNT_AGE_FEATURE in names else None,
        evidence=EvidenceScale(
            manifest.contract.views, ExpectedViews.of(manifest.contract, manifest.null_views), verification
        ),
        support=None if manifest.support is None else Support.from_dict(manifest.support.model_dump()),
        expansion=ExpansionLine.of(manifest),
        verification=verification,
        departures=Departures.of(manifest),
    )


def score_rows(
    rows: FeatureRows,
    bundle: Bundle,
    now: dt.datetime,
    clock_label: str | None = None,
    *,
    signals: bool = True,
    intervals: bool = False,
    outlook: bool = False,
) -> list[AccountScore | UnknownAccount]:
    """Return the score of every account of *rows*, in order.

    Args:
        rows: Features as of *now*.
        bundle: The model.
        now: The time for which ages are told; aware.
        clock_label: Shown in the evidence where the time is not the machine's, such as `demonstration`.
        signals: Whether reasons are wanted; without them they are empty and the graph does less.
        intervals: Whether each probability's interval is wanted; likewise.
        outlook: Whether decisions will be made of the scores, or an account card; likewise.

    Returns:
        One entry an account: its score, or an `UnknownAccount` (not raised, so that others get theirs) where
        the store holds nothing of it.

    Raises:
        ValueError: *now* is naive, or the matrix does not have the contract's columns.
    """
    asked = Asked.of(rows)
    if not asked.known:
        require_zone(now)
        return asked.answers([])
    health = asked.told(bundle.health_inputs) if outlook and bundle.health_inputs else None
    outputs = bundle.run(
        asked.matrix,
        contributions=signals,
        intervals=intervals,
        outlook=outlook,
        departed=any_left(bundle, asked.matrix),
        health=health,
    )
    return finish(asked, outputs, bundle, now, clock_label)


def any_left(bundle: Bundle, matrix: NDArray[np.float64]) -> bool:
    """Return whether *bundle* can tell the chance of coming back of an account of *matrix*."""
    departures = scoring_tables(bundle).departures
    return departures is not None and departures.among(matrix)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the graph is asked about some rows: those of which the store holds something.

    Attributes:
        rows: All of them.
        known: The rows of which it does.
        matrix: Shape (known, model features).
    """

    rows: FeatureRows
    known: list[int]
    matrix: NDArray[np.float64]

    @classmethod
    def of(cls, rows: FeatureRows) -> Asked:
        """Return what to ask of *rows*."""
        flags = rows.known.tolist()
        if all(flags):
            return cls(rows, list(range(len(flags))), rows.matrix)
        known = [row for row, flag in enumerate(flags) if flag]
        return cls(rows, known, rows.matrix[known])

    @property
    def everyone(self) -> bool:
        """Whether something is known of every account."""
        return len(self.known) == len(self.rows.account_ids)

    @property
    def account_ids(self) -> tuple[str, ...]:
        """The accounts of which something is known."""
        everyone = self.rows.account_ids
        return everyone if self.everyone else tuple([everyone[row] for row in self.known])

    @property
    def context(self) -> Sequence[dict[str, ContextValue]]:
        """What the matrix can't hold of them."""
        everyone = self.rows.context
        return everyone if self.everyone else tuple([everyone[row] for row in self.known])

    def told(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return numbers of the context by name, shape (known, names), NaN where missing."""
        values = [[one.get(name) for name in names] for one in self.context]
        return np.array(values, dtype=np.float64).reshape(len(self.known), len(names))

    @property
    def as_of(self) -> NDArray[np.float64]:
        """Event times of their views, shape (known, views)."""
        return self.rows.as_of if self.everyone else self.rows.as_of[self.known]

    def answers(self, scores: list[AccountScore]) -> list[AccountScore | UnknownAccount]:
        """Return *scores*, and in between what is unknown."""
        if self.everyone:
            return list(scores)
        results: list[AccountScore | UnknownAccount] = [
            UnknownAccount(account_id) for account_id in self.rows.account_ids
        ]
        for row, score in zip(self.known, scores, strict=True):
            results[row] = score
        return results


def finish(
    asked: Asked, outputs: Outputs, bundle: Bundle, now: dt.datetime, clock_label: str | None = None
) -> list[AccountScore | UnknownAccount]:
    """Return the scores that *outputs* are, which the graph gave for *asked*; see `score_rows`.

    Raises:
        ValueError: *now* is naive.
    """
    require_zone(now)
    tables, matrix = scoring_tables(bundle), asked.matrix
    n = len(asked.known)
    account_ids, context = asked.account_ids, asked.context
    reasons: list[Reasons] = (
        [Reasons((), (), 0.0)] * n
        if outputs.contributions is None
        else strongest_signals(tables.signals, outputs.contributions, matrix, context)
    )
    exact = outputs.probabilities[bundle.manifest.score_head][:, tables.score_column].tolist()
    by_head = {
        head: _by_horizon(tables.horizons[head], values) for head, values in outputs.probabilities.items()
    }
    nothing: list[dict[str, float]] = [{} for _ in account_ids]
    evidence = weigh(asked, outputs, tables, now, clock_label)
    base = None if outputs.contributions is None else tables.base
    line = tables.expansion
    tag, contract_hash, tiers = bundle.tag, bundle.manifest.contract_hash, tables.tiers
    churn_ends, upsell_ends = _interval_ends(outputs, tables, n)
    told = zip(
        account_ids, map(churn_risk_score, exact), by_head.get("churn", nothing), by_head.get("upsell", nothing),
        reasons, evidence, churn_ends, upsell_ends, outlooks(outputs, n),
        winbacks(tables.departures, matrix, outputs), strict=True,
    )  # fmt: skip
    scores = [
        AccountScore(
            account_id, score, tiers[score], churn, upsell, raising, lowering, rests_on, tag, contract_hash,
            signals_base=base, others=None if base is None else others, churn_interval=churn_end,
            upsell_interval=upsell_end, outlook=outlook,
            expansion_ready=None if line is None else line.passed(upsell, rests_on.status), winback=winback,
        )
        for (
            account_id, score, churn, upsell, (raising, lowering, others), rests_on, churn_end, upsell_end, outlook,
            winback,
        ) in told
    ]  # fmt: skip
    return asked.answers(scores)


def driver_of(score: AccountScore, bundle: Bundle, rows: FeatureRows, index: int) -> Saying | None:
    """Return what drives the expansion of the account at *index* of *rows*, which has *score*; None if not ready."""
    tables = scoring_tables(bundle)
    if not score.expansion_ready or tables.expansion is None:
        return None
    return expansion_driver(bundle, tables.signals, tables.expansion, rows.matrix[index], rows.context[index])


def weigh(
    asked: Asked, outputs: Outputs, tables: ScoringTables, now: dt.datetime, clock_label: str | None
) -> list[Evidence]:
    """Return what the score of each account that is known rests on."""
    matrix, column = asked.matrix, tables.age_column
    unlike = None if tables.support is None else tables.support.unlike(matrix)
    return tables.evidence.weigh_all(
        asked.as_of,
        now.timestamp(),
        account_age_days=None if column is None else matrix[:, column],
        unlike=unlike,
        matrix=matrix,
        failed=tables.verification.codes(asked, outputs),
        clock=clock_label,
    )


def shown_base(log_odds: float, probability: float) -> dict[str, float]:
    """Return what contributions start from as answers show it."""
    return {
        "log_odds": round(log_odds, LOG_ODDS_DIGITS),
        "probability": round(probability, PROBABILITY_DIGITS),
    }


def require_zone(now: dt.datetime) -> None:
    """Insist that *now* is aware.

    Raises:
        ValueError: It is not.
    """
    if now.tzinfo is None:
        raise ValueError(f"{now!r} has no time zone; ages would be off by the machine's")


def _by_horizon(horizons: tuple[str, ...], values: NDArray[np.float64]) -> list[dict[str, float]]:
    rounded = np.round(values, PROBABILITY_DIGITS).tolist()
    return [dict(zip(horizons, line)) for line in rounded]  # noqa: B905 -- strict costs as much again


def _interval_ends(
    outputs: Outputs, tables: ScoringTables, count: int
) -> tuple[Sequence[Intervals | None], Sequence[Intervals | None]]:
    """Return the intervals of churn and of upsell of each of *count* accounts."""
    found: dict[str, Sequence[Intervals | None]] = {}
    low, high = outputs.low, outputs.high
    if low is not None and high is not None:
        # One table of all heads: what is done once a call costs more than what is done once a number.
        heads = list(low)
        ends = np.hstack([part[head] for head in heads for part in (low, high)])
        lines = np.round(ends, PROBABILITY_DIGITS).tolist()
        start = 0
        for head in heads:
            horizons = tables.horizons[head]
            middle, end = start + len(horizons), start + 2 * len(horizons)
            found[head] = [
                {
                    horizon: [line[at], line[at + len(horizons)]]
                    for horizon, at in zip(horizons, range(start, middle))  # noqa: B905 -- strict costs as much again
                }
                for line in lines
            ]
            start = end
    nothing: Sequence[None] = [None] * count
    return found.get("churn", nothing), found.get("upsell", nothing)
