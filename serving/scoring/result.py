"""The score of one account, as a value and as the HTTP answer shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.scoring.evidence import Evidence
    from serving.scoring.outlook import Outlook
    from serving.scoring.signals import Signal
    from serving.scoring.winback import Winback

Intervals: TypeAlias = dict[str, list[float]]
"""The central 90 % interval `[low, high]` of the probability by each horizon (`30d`)."""
INLINE_METHOD: Final = "leaf_averaged_treeshap"
"""How the graph's reasons are made; `training/export/contributions.py` says it at length."""


class AccountScore(NamedTuple):
    """All that is said of one account.

    Attributes:
        account_id: The account.
        churn_risk_score: 0 to 100, higher is riskier.
        churn_risk_tier: Name of the tier that holds the score.
        churn_probability: Probability of leaving within each horizon (`30d`), rounded to six decimals.
        upsell_probability: Probability of expanding likewise; empty if the bundle has no such head.
        raising: Signals that raise the risk, strongest first.
        lowering: Signals that lower it, strongest first.
        evidence: What the score rests on.
        model: Tag of the bundle.
        feature_contract: Hash of the bundle's feature contract.
        signals_method: How the signals' contributions were made.
        signals_base: `log_odds` and `probability` that contributions start from, by the scored horizon; None if no
            reasons were asked for, or the bundle does not tell.
        others: What all signals that are not shown contribute together, in log-odds; None like the base.
        contributions: Every model feature's contribution in log-odds, where they were asked for.
        churn_interval: Interval of each churn probability; None if it was not asked for, or the bundle has none.
        upsell_interval: Likewise.
        outlook: What else the bundle expects, where it was asked for; decisions and the account card use it.
        expansion_ready: Whether the probability of expanding by the scored horizon is at or over the bundle's threshold
            and the evidence is full; None if the bundle has no such threshold.
        winback: What is said of its coming back; None unless it has left and the bundle tells.
    """

    account_id: str
    churn_risk_score: int
    churn_risk_tier: str
    churn_probability: dict[str, float]
    upsell_probability: dict[str, float]
    raising: tuple[Signal, ...]
    lowering: tuple[Signal, ...]
    evidence: Evidence
    model: str
    feature_contract: str
    signals_method: str = INLINE_METHOD
    signals_base: Mapping[str, float] | None = None
    others: float | None = None
    contributions: dict[str, float] | None = None
    churn_interval: Intervals | None = None
    upsell_interval: Intervals | None = None
    outlook: Outlook | None = None
    expansion_ready: bool | None = None
    winback: Winback | None = None

    @property
    def winback_probability(self) -> Mapping[str, float]:
        """Probability of coming back within each horizon; empty unless it has left and the bundle tells."""
        return {} if self.winback is None else self.winback.probability

    def to_dict(self) -> dict[str, Any]:
        """Return the value as `POST /v1/score` answers it; every number in it is finite."""
        return self._shown(self.evidence.to_dict())

    def to_json_value(self) -> dict[str, Any]:
        """Return the same for orjson, with the evidence already serialised."""
        return self._shown(self.evidence.fragment)

    def _shown(self, evidence: object) -> dict[str, Any]:
        signals: dict[str, Any] = {"method": self.signals_method}
        if self.signals_base is not None:
            signals["base"] = self.signals_base
        signals["raising"] = [signal.to_dict() for signal in self.raising]
        signals["lowering"] = [signal.to_dict() for signal in self.lowering]
        if self.others is not None:
            signals["others"] = self.others
        if self.contributions is not None:
            signals["contributions"] = self.contributions
        intervals = {
            name: interval
            for name, interval in (
                ("churn_interval_90", self.churn_interval),
                ("upsell_interval_90", self.upsell_interval),
            )
            if interval is not None
        }
        return {
            "account_id": self.account_id,
            "churn_risk_score": self.churn_risk_score,
            "churn_risk_tier": self.churn_risk_tier,
            "churn_probability": self.churn_probability,
            "upsell_probability": self.upsell_probability,
            **intervals,
            "signals": signals,
            "evidence": evidence,
            "expansion_ready": self.expansion_ready,
            "winback": None if self.winback is None else self.winback.shown(self.evidence),
            "model": self.model,
            "feature_contract": self.feature_contract,
        }
