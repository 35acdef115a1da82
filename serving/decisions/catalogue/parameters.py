"""What the parameters of an action may be, so that it can be written out for an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.decisions.catalogue.actions import Action

MOST_OFFER_DAYS: Final = 90
MOST_TERM_MONTHS: Final = 60
MOST_TRIAL_DAYS: Final = 90
MOST_CAP_DAYS: Final = 366
MOST_EXPERIMENT_DAYS: Final = 366
GUIDE_CHANNELS: Final = ("email", "in_app")
CALL_MINUTES: Final = (5, 240)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int

    def fault(self, value: object) -> str | None:
        """Return what *value* should be, or None if it is that."""
        if type(value) is int and self.low <= value <= self.high:
            return None
        return f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Words:
    """A text that is not blank, of at most so many characters."""

    longest: int

    def fault(self, value: object) -> str | None:
        """Return what *value* should be, or None if it is that."""
        if isinstance(value, str) and value.strip() and len(value) <= self.longest:
            return None
        return f"a text of at most {self.longest} characters"


class Guide:
    """A guide: its key, or its address."""

    def fault(self, value: object) -> str | None:
        """Return what *value* should be, or None if it is that."""
        if Words(2000).fault(value) is None and (
            "://" not in str(value) or str(value).startswith("https://")
        ):
            return None
        return "a key, or an address that begins with https://"


PARAMETERS: Final[dict[str, dict[str, Whole | Words | Guide]]] = {
    "propose_offer_within_bands": {
        "term_months": Whole(1, MOST_TERM_MONTHS),
        "valid_days": Whole(1, MOST_OFFER_DAYS),
    },
    "start_trial_or_upgrade": {"trial_days": Whole(0, MOST_TRIAL_DAYS)},
    "schedule_success_call": {"duration_minutes": Whole(*CALL_MINUTES), "topic": Words(200)},
    "send_enablement_guide": {"guide": Guide()},
    "create_bundle_within_policy": {},
    "adjust_seats_within_policy": {},
    "enforce_frequency_caps": {"contacts_max": Whole(0, 1000), "window_days": Whole(1, MOST_CAP_DAYS)},
    "open_experiment": {
        "experiment": Words(200),
        "hypothesis": Words(500),
        "metric": Words(200),
        "days": Whole(1, MOST_EXPERIMENT_DAYS),
    },
    "annotate_account": {"note": Words(2000)},
    "publish_status": {},
}
"""By type of action, what each parameter that it knows must be if it is given; others are for messages."""


def parameter_faults(action: Action) -> Iterator[str]:
    """Yield a sentence for each parameter of *action* with which it could be written out for nobody."""
    for name, kind in PARAMETERS[action.type].items():
        if name in action.parameters:
            wanted = kind.fault(action.parameters[name])
            if wanted is not None:
                yield f"parameter {name!r} should be {wanted}, not {action.parameters[name]!r}"
    if action.type == "send_enablement_guide" and action.channel not in GUIDE_CHANNELS:
        yield f"a guide goes by {' or '.join(GUIDE_CHANNELS)}, and not by {action.channel}"
    if action.type == "create_bundle_within_policy" and "bundle" not in action.parameters:
        yield "names no bundle: parameter 'bundle' is missing"
