"""Numbers, times and codes of a brief in words for people."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Final

from serving.actions.money import minor_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_KNOWN: Final = "not known"
MINUS: Final = "\N{MINUS SIGN}"
NARROW: Final = "\N{NARROW NO-BREAK SPACE}"
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
WHOLE_FROM: Final = 100
HOUR, DAY = 3600, 86_400
_CODE: Final = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
STAGES: Final = {
    "identity_and_freshness": "Not enough is known",
    "holdout": "Held out, so that effects can be measured",
    "eligibility": "Not open to this account",
    "applicability": "Does not fit the situation",
    "suitability": "Not good for the customer",
    "contact_policy": "Contact rules",
    "commercial_policy": "Price and contract rules",
    "uplift_and_value": "Not surely worth it",
    "arbitration": "Stands back behind another action",
    "budget": "Budget used up",
    "form": "A fact is missing to write it out",
}
WINDOWS: Final = {
    "early": "There is time.",
    "timely": "Now is a good time.",
    "reactive": "It is late.",
    "emergency": "It is very late.",
}
EVIDENCE: Final = {
    "stale_view": "Some of the data is older than its limit.",
    "missing_view": "Some of the data is missing.",
    "new_account": "The account is younger than 28 days.",
    "unknown_age": "How old the account is, is not known.",
    "unlike_training": "The account is unlike those that the models learnt from.",
    "failed_check": "What the models say contradicts what is known of the account.",
}
ARMS: Final = {
    "random_eligible": "by chance among those that are allowed, or none",
    "propensity_only": "by how likely the account is to leave or to buy, not by what the action changes",
    "no_levers": "without the company's own weights",
}
"""How control arms choose."""
FACTS: Final = {
    "plan": "Plan", "seats": "Seats", "mrr": "Revenue a month", "segment": "Segment", "industry": "Industry",
    "region": "Region", "employees": "Employees", "tenure_days": "Customer for", "days_to_term_end": "Term ends in",
    "auto_renew": "Renews by itself", "preferred_channel": "Prefers", "seat_utilisation_ratio": "Seats in use",
    "adoption_ratio": "Features in use", "health_score": "Health, 0 to 100", "open_tickets": "Open tickets",
    "invoices_overdue": "Overdue invoices", "incident_active": "Incident now",
}  # fmt: skip
"""Facts that a brief shows, in this order."""


def number(value: float | None, digits: int = 0) -> str:
    """Return *value* with thousands apart and a real minus sign."""
    if value is None:
        return NOT_KNOWN
    text = f"{abs(value):,.{digits}f}".replace(",", NARROW)
    negative = value < 0 and float(f"{abs(value):.{digits}f}") != 0
    return f"{MINUS}{text}" if negative else text


def money(value: float | None, currency: str) -> str:
    """Return an amount with its currency; from 100 on without decimals."""
    if value is None:
        return NOT_KNOWN
    whole = abs(value) >= WHOLE_FROM or float(value).is_integer()
    return f"{number(value, 0 if whole else minor_digits(currency))}{NO_BREAK}{currency}"


def money_range(ends: Sequence[float] | None, currency: str) -> str:
    """Return an interval of amounts, such as `120 to 900 USD`."""
    if ends is None or any(end is None for end in ends):
        return NOT_KNOWN
    whole = max(map(abs, ends)) >= WHOLE_FROM or all(float(end).is_integer() for end in ends)
    digits = 0 if whole else minor_digits(currency)
    return f"{number(ends[0], digits)} to {number(ends[1], digits)}{NO_BREAK}{currency}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as per cent."""
    return NOT_KNOWN if value is None else f"{number(100 * value, digits)}{NO_BREAK}%"


def percent_range(ends: Sequence[float] | None, digits: int = 1) -> str:
    """Return an interval of shares, such as `21.0 to 34.5 %`."""
    if ends is None or any(end is None for end in ends):
        return NOT_KNOWN
    return f"{number(100 * ends[0], digits)} to {number(100 * ends[1], digits)}{NO_BREAK}%"


def points(value: float | None, digits: int = 1) -> str:
    """Return a change of a probability in percentage points, with its sign."""
    if value is None:
        return NOT_KNOWN
    text = number(100 * value, digits)
    return text if text.startswith(MINUS) or round(100 * value, digits) == 0 else f"+{text}"


def points_range(ends: Sequence[float] | None) -> str:
    """Return an interval of such changes, such as `+0.4 to +4.5 points`."""
    return NOT_KNOWN if ends is None else f"{points(ends[0])} to {points(ends[1])}"


def time(text: str | None) -> str:
    """Return an RFC 3339 time in UTC for people, to the minute."""
    return NOT_KNOWN if text is None else f"{dt.datetime.fromisoformat(text):%d %b %Y, %H:%M} UTC"


def span(seconds: float | None) -> str:
    """Return a span of time in the unit that fits it."""
    if seconds is None:
        return NOT_KNOWN
    if seconds < HOUR:
        return _counted(max(0, round(seconds / 60)), "minute")
    if seconds < 2 * DAY:
        return _counted(round(seconds / HOUR), "hour")
    return _counted(round(seconds / DAY), "day")


def _counted(count: int, unit: str) -> str:
    return f"{number(count)}{NO_BREAK}{unit}{'' if count == 1 else 's'}"


def horizon(name: str) -> str:
    """Return a horizon such as `90d` in words."""
    return _counted(int(name.removesuffix("d")), "day")


def words(code: str) -> str:
    """Return a code such as `quiet_hours` as words."""
    text = code.replace("_", " ").replace("|", ", ")
    return text[:1].upper() + text[1:]


def plain(text: str) -> str:
    """Return a sentence with its codes (`open_tickets`) as words."""
    return _CODE.sub(lambda found: found[0].replace("_", " "), text)


def stage(code: str) -> str:
    """Return why actions fall at a stage."""
    return STAGES.get(code, words(code))


def fact(name: str, value: Any, currency: str) -> str:  # noqa: ANN401, PLR0911 -- whatever a feature holds; one return a kind
    """Return the value of a profile's fact for people."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return words(value)
    if name == "mrr":
        return money(value, currency)
    if name.endswith("_ratio"):
        return percent(value, 0)
    if name.endswith("_days") or name.startswith("days_"):
        return _counted(round(value), "day")
    return number(value)


def budget(use: dict[str, Any], currency: str) -> str:
    """Return what an action takes of a budget and what is used of it, in a sentence."""

    def amount(value: float) -> str:
        if use["unit"] == "cost":
            return money(value, currency)
        return _counted(round(value), "minute") if use["unit"] == "csm_minutes" else number(value)

    used = NOT_KNOWN if use["used"] is None else amount(use["used"])
    within = _counted(round(use["window_days"]), "day")
    return f"takes {amount(use['takes'])}; used {used} of {amount(use['limit'])} within {within}"
