"""What every threshold rule comes to on test rows: the shipped one against the targets, the others, and segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.flagging import against_targets, flagging
from training.evaluation.segment_thresholds import (
    SegmentRows,
    SegmentThreshold,
    choose_segment_thresholds,
    segment_report,
)
from training.evaluation.thresholds import Stakes, Threshold, choose_threshold
from training.threshold_definitions import MODES, ThresholdMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap
    from training.threshold_definitions import ThresholdPolicy


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds that were chosen on validation rows.

    Attributes:
        policy: What they were chosen by.
        modes: The threshold of each mode; that of `policy.mode` is shipped.
        segments: Thresholds of segments by the shipped mode; empty without segments.
    """

    policy: ThresholdPolicy
    modes: Mapping[ThresholdMode, Threshold]
    segments: tuple[SegmentThreshold, ...]

    @classmethod
    def choose(
        cls,
        label: NDArray[np.float64],
        probability: NDArray[np.float64],
        policy: ThresholdPolicy,
        *,
        stakes: Stakes | None,
        segments: SegmentRows | None,
        account_id: NDArray[np.object_] | None = None,
    ) -> Rules:
        """Choose by every mode on n validation rows.

        Args:
            label: Shape (n,), 0 or 1.
            probability: Shape (n,).
            policy: Targets and rules.
            stakes: What flagging costs and brings.
            segments: Of the n rows.
            account_id: Shape (n,): whose rows they are, each counted once where a share is promised with confidence;
                without it each row counts.
        """
        modes = {
            mode: choose_threshold(
                label, probability, policy, mode=mode, stakes=stakes, account_id=account_id
            )
            for mode in MODES
        }
        shipped = modes[policy.mode]
        by_segment = (
            ()
            if segments is None
            else choose_segment_thresholds(
                label,
                probability,
                segments,
                policy,
                overall=shipped,
                stakes=stakes,
                account_id=account_id,
            )
        )
        return cls(policy, modes, by_segment)

    @property
    def shipped(self) -> Threshold:
        """The threshold that goes into the bundle."""
        return self.modes[self.policy.mode]


@dataclass(frozen=True, slots=True)
class Decisions:
    """The rules, and what is known of n test rows besides label and probability.

    Attributes:
        rules: Chosen on validation.
        mrr: Shape (n,), currency a month; None if the data has none.
        stakes: What flagging costs and brings; None without MRR.
        segments: The segment of each row; None if there is no division.
    """

    rules: Rules
    mrr: NDArray[np.float64] | None
    stakes: Stakes | None
    segments: SegmentRows | None


def judge_decisions(
    bootstrap: AccountBootstrap,
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
    decisions: Decisions,
) -> dict[str, Any]:
    """Return what the rules come to on n test rows; JSON-able.

    Args:
        bootstrap: Resamples of the accounts of the rows.
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        decisions: Rules, money and segments.

    Returns:
        `policies`: per mode `value`, `rule`, `sentence`, `shipped`, `figures` (see `flagging`) and `targets` (see
        `against_targets`); `targets`: those of the shipped rule; `idle`: figures of flagging `nobody` and `everybody`;
        `segments`: see `segment_report`, if there are segments.
    """
    rules = decisions.rules
    found: dict[str, Any] = {"policies": {}}
    given: dict[str, Any] = {"mrr": decisions.mrr, "stakes": decisions.stakes}
    everyone = np.ones(len(label), dtype=bool)
    idle = {
        "nobody": flagging(bootstrap, label, ~everyone, **given),
        "everybody": flagging(bootstrap, label, everyone, **given),
    }
    for mode, threshold in rules.modes.items():
        figures = flagging(bootstrap, label, probability >= threshold.value, **given)
        found["policies"][mode] = {
            "value": threshold.value,
            "rule": threshold.rule,
            "sentence": threshold.sentence,
            "shipped": mode == rules.policy.mode,
            "figures": {name: figure.as_dict() for name, figure in figures.items()},
            "targets": against_targets(figures, rules.policy.targets, **idle),
        }
    found["idle"] = {
        kind: {name: figure.as_dict() for name, figure in figures.items()} for kind, figures in idle.items()
    }
    found["targets"] = found["policies"][rules.policy.mode]["targets"]
    if decisions.segments is not None:
        found["segments"] = segment_report(
            bootstrap,
            label,
            probability,
            decisions.segments,
            rules.segments,
            overall=rules.shipped,
            policy=rules.policy,
            mrr=decisions.mrr,
        )
    return found
