"""Says in the manifest what a bundle has beyond probabilities by horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.bundle.manifest import (
    AmountOutput,
    Calibration,
    Effect,
    Effects,
    Head,
    LongHorizon,
    SupportValues,
    TrajectoryOutput,
    Winback,
)
from training.export.interval_nodes import high_output, low_output
from training.export.outlook_nodes import (
    AMOUNT_OUTPUT,
    EFFECT_ERRORS_OUTPUT,
    EFFECTS_OUTPUT,
    HEALTH_INPUT,
    LONG_OUTPUT,
    TRAJECTORY_CLASSES,
    TRAJECTORY_OUTPUT,
)
from training.export.winback_nodes import WINBACK_OUTPUT
from training.labels_trajectory import HORIZON_DAYS
from training.outlook_values import is_moved
from training.uncertainty.fit import CONFIDENCE

if TYPE_CHECKING:
    from training.definitions import Definitions, HeadName
    from training.heads.hazard import HazardHead
    from training.outlook_values import EffectHeads, Outlook


def interval_fields(outlook: Outlook, head: HeadName) -> dict[str, Any]:
    """Return the manifest's fields of a head that name its interval; none if it has none."""
    return _interval_names(head) if head in outlook.uncertainty else {}


def _interval_names(head: HeadName) -> dict[str, Any]:
    return {
        "low_output": low_output(head),
        "high_output": high_output(head),
        "interval_level": CONFIDENCE,
    }


def outlook_fields(outlook: Outlook, definitions: Definitions) -> dict[str, Any]:
    """Return the manifest's fields of the parts that there are."""
    fields: dict[str, Any] = {}
    if outlook.support is not None:
        fields["support"] = SupportValues.model_validate(outlook.support.to_dict())
    if outlook.long_interval is not None:
        fields["long_horizon"] = LongHorizon(output=LONG_OUTPUT, days=outlook.long_interval.end_days)
    if outlook.amount is not None:
        fields["amount"] = AmountOutput(output=AMOUNT_OUTPUT)
    if outlook.trajectory is not None:
        fields["trajectory"] = TrajectoryOutput(
            output=TRAJECTORY_OUTPUT,
            classes=TRAJECTORY_CLASSES,
            days=HORIZON_DAYS,
            input_name=HEALTH_INPUT if outlook.trajectory.inputs else None,
            inputs=outlook.trajectory.inputs,
        )
    if outlook.effects is not None:
        fields["effects"] = _effects(outlook.effects)
    if outlook.winback is not None:
        fields["winback"] = _winback(outlook, outlook.winback, definitions)
    return fields


def _winback(outlook: Outlook, head: HazardHead, definitions: Definitions) -> Winback:
    return Winback(
        head=Head(
            name="winback",
            output=WINBACK_OUTPUT,
            horizons_days=head.horizons_days,
            definition=definitions.sentence("winback"),
            thresholds={},
            calibrations=tuple(
                Calibration(slope=platt.slope, intercept=platt.intercept) for platt in head.calibrations
            ),
            **({} if outlook.winback_uncertainty is None else _interval_names(head.name)),
        ),
        after_days=definitions.churn.grace_days,
        within_days=definitions.winback.within_days,
    )


def _effects(effects: EffectHeads) -> Effects:
    columns = zip(effects.heads, effects.draws, effects.learnt, strict=True)
    return Effects(
        output=EFFECTS_OUTPUT,
        errors_output=EFFECT_ERRORS_OUTPUT,
        window_days=effects.window_days,
        columns=tuple(
            Effect.model_validate(
                {
                    "action": head.action,
                    "outcome": head.outcome,
                    "learner": head.learner,
                    "basis": "uplift" if learnt else "blend" if is_moved(head) else "prior",
                    "draws": draws,
                }
            )
            for head, draws, learnt in columns
        ),
    )
