"""How an account's risk has changed since about 30 days ago, by what the batch job brought of then.

The batch scores the features of 30 days before with the same model (`serving/batch/trend.py`), so that a change is the
account's and not that of a newer model.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving.decisions.decision import utc_text
from serving.scoring.engine import scoring_tables
from serving.scoring.score import PROBABILITY_DIGITS, churn_risk_score

if TYPE_CHECKING:
    from serving.bundle.loader import Bundle
    from serving.scoring.result import AccountScore

TREND_DAYS: Final = 30
LONGEST_DAYS: Final = 37
"""Up to how many days ago an earlier score may be from: a week after the batch job brought it."""
_FORM: Final = 1


@dataclass(frozen=True, slots=True)
class EarlierScore:
    """What a model said of an account by its features of some time ago.

    Attributes:
        as_of: The time that the features are of, aware.
        churn_probability: Probability of leaving within the scored horizon.
        model: Tag of the model.
    """

    as_of: dt.datetime
    churn_probability: float
    model: str

    def to_bytes(self) -> bytes:
        """Return the value as the store holds it."""
        return orjson.dumps([_FORM, int(self.as_of.timestamp()), self.churn_probability, self.model])

    @classmethod
    def from_bytes(cls, content: bytes) -> EarlierScore | None:
        """Return the value that `to_bytes` gave; None for what is none, such as that of another release."""
        try:
            form, seconds, probability, model = orjson.loads(content)
            if form != _FORM or not 0.0 <= probability <= 1.0:
                return None
            return cls(dt.datetime.fromtimestamp(seconds, dt.UTC), float(probability), str(model))
        except (ValueError, TypeError, OverflowError, OSError):
            return None


def trend_of(
    score: AccountScore, earlier: EarlierScore | None, bundle: Bundle, now: dt.datetime
) -> dict[str, Any]:
    """Return how the risk has changed since *earlier*, as an HTTP answer shows it; null with a reason if none can.

    Args:
        score: Of now.
        earlier: What is on record, if anything is.
        bundle: That gave *score*.
        now: The time of *score*, aware.
    """
    missing = _missing(score, earlier, now)
    if earlier is None or missing is not None:
        return {
            "churn_risk_score_change": None,
            "churn_probability_change": None,
            "since": None,
            "reason": missing,
        }
    horizon = bundle.manifest.score_horizon
    points = churn_risk_score(earlier.churn_probability)
    return {
        "churn_risk_score_change": score.churn_risk_score - points,
        "churn_probability_change": risen(score, horizon, earlier.churn_probability),
        "since": {
            "as_of": utc_text(earlier.as_of),
            "days": (now - earlier.as_of).days,
            "churn_risk_score": points,
            "churn_risk_tier": scoring_tables(bundle).tiers[points],
            "churn_probability": {horizon: earlier.churn_probability},
        },
        "reason": None,
    }


def risen(score: AccountScore, horizon: str, before: float) -> float:
    """Return by how much the probability of leaving within *horizon* (`30d`) has risen since it was *before*."""
    return round(score.churn_probability[horizon] - before, PROBABILITY_DIGITS)


def _missing(score: AccountScore, earlier: EarlierScore | None, now: dt.datetime) -> dict[str, str] | None:
    """Return why no change can be told, or None if one can."""
    if earlier is None:
        return {"code": "no_earlier_score", "text": "No score of 30 days ago is on record for this account."}
    if earlier.model != score.model:
        return {
            "code": "another_model",
            "text": f"The score on record is by {earlier.model}, and two models' scores tell no change.",
        }
    days = (now - earlier.as_of).days
    if not TREND_DAYS <= days <= LONGEST_DAYS:
        return {
            "code": "not_of_then",
            "text": f"The score on record is of {days} days ago, not of {TREND_DAYS} to {LONGEST_DAYS}.",
        }
    return None
