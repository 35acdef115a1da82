"""How long there is left to act on an account: early, timely, reactive or emergency.

A pure function of the churn probabilities by horizon, the chances of the health trajectory, and the days until the
term ends. `evidence` beside this module says what they rest on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

InterventionWindow = Literal["early", "timely", "reactive", "emergency"]


@dataclass(frozen=True, slots=True)
class WindowRules:
    """The limits of the windows; probabilities from 0 to 1.

    Attributes:
        emergency_30d: Churn within 30 days from which on it is an emergency.
        reactive_30d: Churn within 30 days from which on it is too late for anything but a reaction.
        risky: Churn by the last horizon from which on an account is at risk.
        declining: Chance of decline from which on health counts as declining.
        term_close_days: Days to the term's end within which a decision is near.
        term_urgent_days: Days to the term's end within which it is imminent.
    """

    emergency_30d: float = 0.5
    reactive_30d: float = 0.25
    risky: float = 0.25
    declining: float = 0.5
    term_close_days: float = 60.0
    term_urgent_days: float = 14.0


DEFAULT_RULES = WindowRules()


def intervention_window(
    churn_30d: float,
    churn_last: float,
    *,
    declining: float = math.nan,
    days_to_term_end: float = math.nan,
    rules: WindowRules = DEFAULT_RULES,
) -> InterventionWindow:
    """Return the window of one account; the first line of this table that holds counts.

    | window | holds when |
    |---|---|
    | `emergency` | churn within 30 days is at least `emergency_30d`; or the account is at risk and its term ends within `term_urgent_days` |
    | `reactive` | churn within 30 days is at least `reactive_30d`; or the account is at risk, declining, and its term ends within `term_close_days` |
    | `timely` | the account is at risk; or it is declining and its term ends within `term_close_days` |
    | `early` | otherwise |

    At risk: churn by the last horizon is at least `risky`. A term that has run out (negative days) has no end ahead, and
    one that is not known is far off. An unknown trajectory does not count as declining.

    Args:
        churn_30d: Probability of churn by the first horizon.
        churn_last: Probability of churn by the last horizon, not under `churn_30d`.
        declining: Probability that health declines; NaN if not known.
        days_to_term_end: Days; NaN if not known.
        rules: The limits.

    Raises:
        ValueError: A probability is outside 0 to 1, or the last horizon's is under the first's.
    """  # noqa: E501 - a Markdown table is not wrapped
    if not 0.0 <= churn_30d <= churn_last <= 1.0:
        raise ValueError(
            f"churn probabilities {churn_30d} and {churn_last} should rise along horizons within 0 and 1"
        )
    if declining < 0.0 or declining > 1.0:
        raise ValueError(f"the chance of decline is {declining}; it should be from 0 to 1, or NaN")
    at_risk = churn_last >= rules.risky
    falls = declining >= rules.declining
    urgent = 0.0 <= days_to_term_end <= rules.term_urgent_days
    close = 0.0 <= days_to_term_end <= rules.term_close_days
    if churn_30d >= rules.emergency_30d or (at_risk and urgent):
        return "emergency"
    if churn_30d >= rules.reactive_30d or (at_risk and falls and close):
        return "reactive"
    return "timely" if at_risk or (falls and close) else "early"
