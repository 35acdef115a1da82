"""Gates that put what the candidate says beyond its heads beside the champion: trajectory, long horizon and amount.

Being calibrated is not enough: shares of the classes, said of every account, are calibrated and useless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.errors import PromotionError
from training.evaluation.compare_outlook import (
    Resampling,
    amount_difference,
    long_difference,
    trajectory_difference,
)
from training.promotion.gate import Gate, signed

if TYPE_CHECKING:
    import pandas as pd

    from serving.bundle.manifest import Manifest
    from training.evaluation.bootstrap import Estimate
    from training.evaluation.compare import OpenBundle
    from training.evaluation.compare_outlook import PairedDifference
    from training.limits import ComparisonLimits, Limits
    from training.promotion.gate import Candidate

_NAME = "outlook not worse"
_HIGHER_IS_BETTER = {"AUC"}
_UNKEPT = "the rows that it is compared on were not kept beside the model store; train it again"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the outlook that both bundles have.

    Attributes:
        subject: What it is called.
        most: How much worse each figure may be, by its name.
    """

    subject: str
    most: dict[str, float]


def outlook_comparison_gates(candidate: Candidate, limits: Limits) -> list[Gate]:
    """Return a gate for each part of the candidate's outlook: not worse than the champion's beyond noise.

    A part that the champion lacks has nothing to be worse than and passes. One that only the champion has gets no gate
    here: `training.promotion.of_bundles.loss_gate` refuses the bundle until somebody says why. Intervals hold over the
    differences of all parts together.

    Args:
        candidate: The bundle, and what it is compared with.
        limits: Limits.
    """
    champion, ours = candidate.champion, _parts(candidate.bundle.manifest, limits.comparison)
    theirs = {} if champion is None else _parts(champion.manifest, limits.comparison)
    how = Resampling(
        samples=limits.samples,
        seed=candidate.seed,
        comparisons=max(1, sum(len(part.most) for name, part in ours.items() if name in theirs)),
    )
    gates = []
    for name, part in ours.items():
        if champion is None or name not in theirs:
            why = (
                "there is no champion yet"
                if champion is None
                else f"{champion.tag}, the champion, does not tell it"
            )
            gates.append(
                Gate(_NAME, part.subject, "-", _limit(part), "passed", f"{why}; nothing to be worse than")
            )
            continue
        try:
            found = _difference(name, candidate, champion, how)
        except PromotionError as error:
            gates.append(candidate.unmeasured(_NAME, part.subject, str(error), _limit(part)))
            continue
        gates.append(_judged(part, found, champion.tag))
    return gates


def _parts(manifest: Manifest, rules: ComparisonLimits) -> dict[str, _Part]:
    found = {}
    if manifest.trajectory is not None:
        found["trajectory"] = _Part("health trajectory", {"log loss": rules.max_trajectory_log_loss_rise})
    if manifest.long_horizon is not None:
        told = manifest.long_horizon
        most = {"log loss": rules.max_long_log_loss_rise, "AUC": rules.max_long_auc_loss}
        found["long_horizon"] = _Part(f"{told.head} {told.days}d", most)
    if manifest.amount is not None:
        found["amount"] = _Part("amount", {"squared error": rules.max_amount_error_rise})
    return found


def _difference(name: str, candidate: Candidate, champion: OpenBundle, how: Resampling) -> PairedDifference:
    compare, rows = {
        "trajectory": (trajectory_difference, candidate.rows),
        "long_horizon": (long_difference, candidate.later),
        "amount": (amount_difference, candidate.rows),
    }[name]
    return compare(_kept(rows), candidate.bundle, champion, how)


def _kept(rows: pd.DataFrame | None) -> pd.DataFrame:
    if rows is None:
        raise PromotionError(_UNKEPT)
    return rows


def _judged(part: _Part, found: PairedDifference, champion: str) -> Gate:
    worse = [name for name, figure in found.figures.items() if _worse(name, figure, part.most[name])]
    return Gate(
        _NAME,
        part.subject,
        ", ".join(f"{name} {signed(one)}" for name, one in found.figures.items()),
        _limit(part),
        "refused" if worse else "passed",
        f"against {champion} on {found.note}",
    )


def _worse(name: str, figure: Estimate, most: float) -> bool:
    return figure.high < -most if name in _HIGHER_IS_BETTER else figure.low > most


def _limit(part: _Part) -> str:
    return ", ".join(
        f"{name} not surely {'under' if name in _HIGHER_IS_BETTER else 'over'} "
        f"{0.0 - most if name in _HIGHER_IS_BETTER else most:+g}"
        for name, most in part.most.items()
    )
