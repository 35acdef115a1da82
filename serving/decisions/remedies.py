"""Remedies without discount come first: a discount waits while one fits the account that has the same aim.

It fits also while something keeps it back for now (quiet hours, a missing consent, a budget): a discount is no way
around that. It does not fit once the account has rejected it or had it as often as caps allow, where it could never be
had, or where its uplift does not carry it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.decisions.autonomy import effective_level
from serving.decisions.capping import cap_fault, wanted_uses
from serving.decisions.decision import Refusal
from serving.decisions.fitting import rejected, unmet_condition
from serving.decisions.policy.stages import ARBITRATION_STAGE, CONTACT_STAGE, RULE_STAGES
from serving.decisions.value import appraise

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.lift import Outcome
    from serving.decisions.policy.check import PolicyCheck
    from serving.decisions.policy.compiled import Policy

NON_DISCOUNT_FIRST: Final = "non_discount_first"
_MAY_BE_HAD: Final = RULE_STAGES[: RULE_STAGES.index("eligibility") + 1]


def behind_remedy(
    frame: DecisionFrame,
    catalogue: Catalogue,
    policy: Policy,
    check: PolicyCheck,
    action: Action,
    aim: Outcome,
) -> Refusal | None:
    """Return why *action* waits if it gives a discount and the policy wants other remedies first, or None.

    Args:
        frame: The account.
        catalogue: Plans and actions.
        policy: The rules.
        check: The same as it stands to the frame.
        action: One of the catalogue's actions.
        aim: The outcome from which most is hoped of it.
    """
    if not (policy.document.non_discount_first and action.gives_discount):
        return None
    remedies = sorted(
        (other for other in catalogue.actions if not other.gives_discount), key=lambda other: other.key
    )
    first = next((other for other in remedies if _fits(frame, catalogue, policy, check, other, aim)), None)
    if first is None:
        return None
    text = f"{first.title}, which needs no discount, comes first"
    return Refusal(action.key, ARBITRATION_STAGE, NON_DISCOUNT_FIRST, text)


def _fits(
    frame: DecisionFrame,
    catalogue: Catalogue,
    policy: Policy,
    check: PolicyCheck,
    action: Action,
    aim: Outcome,
) -> bool:
    """Return whether *action* is a remedy for *aim*; one whose value is not known is one for every aim."""
    if unmet_condition(frame, action) or rejected(frame, action):
        return False
    if effective_level(policy.document.autonomy, frame.autonomy, action.key) == "shadow":
        return False
    if check.about(action).first_fault(_MAY_BE_HAD) is not None:
        return False
    if cap_fault(frame, wanted_uses(frame, policy, action), action, CONTACT_STAGE) is not None:
        return False
    appraisal = appraise(frame, catalogue, action)
    return isinstance(appraisal, Refusal) or (appraisal.fault is None and appraisal.aim == aim)
