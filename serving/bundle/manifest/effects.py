"""Effects of actions, and when one counts as learnt from draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from serving.bundle.manifest.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

LEARNT_WEIGHT: Final = 0.5
"""Least weight of the draws in an average effect, against its prior, from which on the effect counts as learnt."""
LEARNT_SLOPE_Z: Final = 1.645
"""Standard errors by which a slope out of fold must lie above zero for trees to have come true: 95 %, one-sided."""


class Effect(Value):
    """One column of the effects: what taking `action` changes in the probability of `outcome`."""

    action: str = Field(description="As logged in the table `treatments`.")
    outcome: Literal["retained", "expanded", "returned"] = Field(
        description="`returned` speaks of accounts that have left, the others of those that have a subscription."
    )
    learner: str = Field(
        description="Which learner grew its trees; `none` if it does not tell accounts apart."
    )
    basis: Literal["uplift", "blend", "prior"] = Field(
        description="`uplift` if it was learnt from draws, `blend` if draws moved the declared prior and weigh less "
        "than it, `prior` if it is the declared prior alone."
    )
    draws: int = Field(ge=0, description="Draws of the action, both arms.")


class Effects(Value):
    """Two outputs of shape (accounts, columns): effects of actions within `window_days`, and standard errors."""

    output: str = "effects"
    errors_output: str = "effect_errors"
    window_days: int = Field(gt=0)
    columns: tuple[Effect, ...] = Field(min_length=1)


def is_learnt(shipped: Mapping[str, Any]) -> bool:
    """Return whether an effect counts as learnt from draws, going by what the report says of the head that ships.

    It does if its average rests on the draws at least as much as on the prior (`LEARNT_WEIGHT`), or if its trees tell
    accounts apart and that came true out of fold beyond chance (`LEARNT_SLOPE_Z`). That draws were enough to measure
    something is not enough: next to a narrow prior they may weigh a few percent.

    Args:
        shipped: `metrics["uplift"]["outcomes"][outcome]["actions"][action]["shipped"]` of a manifest.
    """
    if shipped["measured"] is None:
        return False
    if shipped["weight_of_draws"] >= LEARNT_WEIGHT:
        return True
    slope = shipped["slope"]
    return bool(
        slope is not None and slope["used"] > 0 and slope["raw"] > LEARNT_SLOPE_Z * slope["standard_error"]
    )
