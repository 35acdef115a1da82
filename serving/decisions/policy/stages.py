"""The stages that a candidate goes through, in order."""

from __future__ import annotations

from typing import Final, Literal, get_args

RuleStage = Literal[
    "identity_and_freshness",
    "eligibility",
    "applicability",
    "suitability",
    "contact_policy",
    "commercial_policy",
]
"""Stages whose rules a policy writes."""

RULE_STAGES: Final[tuple[RuleStage, ...]] = get_args(RuleStage)
CONDITIONS_STAGE: Final = "applicability"
"""The stage at whose end the catalogue's own conditions of an action are looked at."""
VALUE_STAGE: Final = "uplift_and_value"
ARBITRATION_STAGE: Final = "arbitration"
"""Where what stands falls behind: to a remedy without discount, to an arm's draw, to the ladder of autonomy."""
BUDGET_STAGE: Final = "budget"
"""Where caps that are not an account's own stop what is worth its cost."""
CONTACT_STAGE: Final = "contact_policy"
"""At its end, caps of the account are looked at."""
HOLDOUT_STAGE: Final = "holdout"
"""Follows identity and freshness: who is held out is asked only of accounts of which enough is known."""
STAGES: Final[tuple[str, ...]] = (
    RULE_STAGES[0], HOLDOUT_STAGE, *RULE_STAGES[1:], VALUE_STAGE, ARBITRATION_STAGE, BUDGET_STAGE,
)  # fmt: skip
