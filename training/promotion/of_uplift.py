"""The gate on effects of actions: acting by the candidate's brings no less than acting by the champion's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.errors import PromotionError
from training.evaluation.bootstrap import Estimate, simultaneous_reach
from training.evaluation.compare_effects import policy_difference
from training.evaluation.compare_outlook import Resampling
from training.promotion.gate import Gate, signed

if TYPE_CHECKING:
    from serving.bundle.manifest import Manifest
    from training.evaluation.compare import OpenBundle
    from training.evaluation.compare_outlook import PairedDifference
    from training.limits import Limits
    from training.promotion.gate import Candidate, Verdict

_NAME = "uplift not worse"
_AGAINST = "gain not surely under the champion's by over {most:g}"


def uplift_gates(candidate: Candidate, limits: Limits) -> list[Gate]:
    """Return a gate for every outcome that the candidate's effects are about; none if it learnt none from draws.

    Candidate and champion are compared draw by draw on the candidate's held-out draws that are new to the champion, too
    (`training.evaluation.compare_effects`). Where those are too few, or were not kept, the two reports are compared,
    each of its own held-out draws: by how much more accounts stay, or expand, when the action of the largest effect
    above zero is taken than when nothing is, doubly robust. The difference to doing nothing leaves out how likely the
    outcome was anyway, which differs between two sets of draws, and intervals combine those of the two reports as if
    they were independent. All intervals hold over all outcomes together.

    Args:
        candidate: The bundle, and what it is compared with.
        limits: Limits.
    """
    effects = candidate.bundle.manifest.effects
    learnt = () if effects is None else effects.columns
    outcomes = tuple(dict.fromkeys(one.outcome for one in learnt if one.basis != "prior"))
    return [_gate(candidate, outcome, limits, len(outcomes)) for outcome in outcomes]


def _gate(candidate: Candidate, outcome: str, limits: Limits, outcomes: int) -> Gate:
    wider = simultaneous_reach(outcomes) / simultaneous_reach(1)
    most = limits.comparison.max_policy_value_loss
    ours = _gain(candidate.bundle.manifest, outcome)
    theirs = None if candidate.champion is None else _gain(candidate.champion.manifest, outcome)
    if ours is None:
        return _unmeasured(candidate, outcome)
    unpaired = ""
    if candidate.champion is not None:
        try:
            paired = _paired(candidate, candidate.champion, outcome, limits, outcomes)
            return _told(outcome, paired.figures["gain"], most, _AGAINST.format(most=most), paired.note)
        except PromotionError as error:
            unpaired = f"; not paired: {error}"
    if theirs is None or candidate.champion is None:
        found, limit = _widened(ours, wider), f"gain over doing nothing not surely under {0.0 - most:+g}"
        why = "there is no champion yet" if candidate.champion is None else "the champion's was not judged"
        note = f"{_draws(candidate.bundle.manifest, outcome)} held-out draws; {why}"
    else:
        found, limit = ours.less(theirs, wider), _AGAINST.format(most=most)
        note = _basis(candidate.bundle.manifest, candidate.champion.manifest, outcome)
    return _told(outcome, found, most, limit, note + unpaired)


def _paired(
    candidate: Candidate, champion: OpenBundle, outcome: str, limits: Limits, outcomes: int
) -> PairedDifference:
    if candidate.draws is None:
        raise PromotionError("the candidate's held-out draws were not kept")
    return policy_difference(
        candidate.draws,
        champion,
        candidate.champion_draws,
        outcome,
        Resampling(samples=limits.samples, seed=candidate.seed, comparisons=outcomes),
        least=limits.comparison.min_paired_draws,
    )


def _told(outcome: str, found: Estimate, most: float, limit: str, note: str) -> Gate:
    verdict: Verdict = "refused" if found.high < -most else "passed"
    return Gate(
        _NAME,
        outcome,
        f"{signed(found)} a draw",
        limit,
        verdict,
        note,
    )


def _unmeasured(candidate: Candidate, outcome: str) -> Gate:
    why = (
        _report(candidate.bundle.manifest, outcome).get("choice", {}).get("reason", "the bundle reports none")
    )
    return candidate.unmeasured(_NAME, outcome, f"no value of acting by its effects: {why}")


def _report(manifest: Manifest, outcome: str) -> dict[str, Any]:
    found: dict[str, Any] = manifest.metrics.get("uplift", {}).get("outcomes", {}).get(outcome, {})
    return found


def _gain(manifest: Manifest, outcome: str) -> Estimate | None:
    """Return the reported gain over doing nothing, or None if there is none."""
    policy = _report(manifest, outcome).get("policy", {})
    return Estimate.from_dict(policy.get("uplift_less_others", {}).get("nothing"))


def _widened(figure: Estimate, wider: float) -> Estimate:
    value = figure.value
    return Estimate(value, value - wider * (value - figure.low), value + wider * (figure.high - value))


def _draws(manifest: Manifest, outcome: str) -> int:
    return int(_report(manifest, outcome)["policy"]["draws"])


def _basis(candidate: Manifest, champion: Manifest, outcome: str) -> str:
    """Say on which draws the two were judged."""
    ours, theirs = _draws(candidate, outcome), _draws(champion, outcome)
    splits = [_report(one, outcome).get("split") for one in (candidate, champion)]
    same = candidate.provenance.data_hash == champion.provenance.data_hash and splits[0] == splits[1]
    if same and ours == theirs:
        return f"both were judged on the same {ours} held-out draws"
    return f"reported figures, each of its own held-out draws ({ours} and {theirs})"
