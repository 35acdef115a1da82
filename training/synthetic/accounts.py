"""Who the synthetic accounts are: traits, first state, and the `accounts` table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from training.synthetic.account_names import company_name
from training.synthetic.calendar import DAY_US, HOUR_US, INDUSTRIES, REGIONS, Calendar
from training.synthetic.dynamics import TERM_DAYS
from training.synthetic.plans import LOG_API_LIMIT, LOG_STORAGE_LIMIT, SEATS_INCLUDED, SEATS_MAX, TOP_PLAN
from training.synthetic.state import State, Traits
from training.synthetic.treatments import ACTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEGMENTS = ("smb", "mid_market", "enterprise")
_SEGMENT_SHARE = (0.62, 0.29, 0.09)
_LOG_EMPLOYEES = ((3.2, 0.7), (5.4, 0.6), (7.6, 0.6))
_SHARE_AT_START = 0.6
_MEAN_AGE_DAYS = 450.0
_MAX_AGE_DAYS = 1_800.0
_NO_API = -30.0
_CHANNELS = ("search", "referral", "partner", "outbound", "event", "marketplace")
_CHANNEL_SHARE = (0.30, 0.20, 0.15, 0.15, 0.10, 0.10)
_CONSENT_SHARE = {
    "consent_email": 0.82,
    "consent_in_app": 0.93,
    "consent_phone": 0.45,
    "consent_training": 0.97,
}
_NOT_SAID = {
    "consent_email": 0.04,
    "consent_in_app": 0.04,
    "consent_phone": 0.06,
    "consent_training": 0.02,
    "industry": 0.02,
    "timezone": 0.01,
    "employees": 0.03,
    "preferred_channel": 0.05,
    "quiet_hours": 0.10,
}
"""Share of accounts of which it is not known (null)."""

_PREFERRED = ("email", "in_app", "phone", "none")
_PREFERRED_SHARE = (0.50, 0.32, 0.10, 0.08)


@dataclass(frozen=True, slots=True)
class Population:
    """One block of n accounts.

    Attributes:
        ids: Account ids.
        traits: What never changes.
        first_state: State on the first day of each.
        first_day: Day on which the account begins; negative for those that the history finds there.
        created_us: Time of creation, microseconds from the epoch.
        begins_with_trial: Whether it begins with a trial (those that are there from the start have it behind
            them).
        annual: Whether it is under annual contracts.
        bill_months: Months billed at a time, 1 or 12.
        utc_offset_hours: Offset of the account's place.
        table: The `accounts` table, without `onboarded_at`, which the history tells.
    """

    ids: tuple[str, ...]
    traits: Traits
    first_state: State
    first_day: NDArray[np.int64]
    created_us: NDArray[np.int64]
    begins_with_trial: NDArray[np.bool_]
    annual: NDArray[np.bool_]
    bill_months: NDArray[np.int64]
    utc_offset_hours: NDArray[np.float64]
    table: pa.Table

    @property
    def size(self) -> int:
        """Number of accounts."""
        return len(self.ids)


def account_id(position: int) -> str:
    """Return the id of the account at *position* in the world."""
    return f"syn-{position:06d}"


def populate(calendar: Calendar, first_position: int, n: int, rng: np.random.Generator) -> Population:
    """Draw *n* accounts, the first of which is at *first_position* in the world."""
    segment = rng.choice(3, n, p=_SEGMENT_SHARE)
    region = rng.choice(len(REGIONS), n, p=[region.share for region in REGIONS])
    industry = rng.choice(len(INDUSTRIES), n, p=[share for _, share, _, _ in INDUSTRIES])
    log_employees = np.array(_LOG_EMPLOYEES)[segment, 0] + np.array(_LOG_EMPLOYEES)[
        segment, 1
    ] * rng.standard_normal(n)
    log_employees = np.log(np.maximum(np.round(np.exp(log_employees)), 3))
    there = rng.random(n) < _SHARE_AT_START
    age = np.minimum(rng.exponential(_MEAN_AGE_DAYS, n) + 15, _MAX_AGE_DAYS).astype(np.int64)
    first_day = np.where(there, -age, rng.integers(0, calendar.days, n))

    log_users = log_employees + np.log(rng.uniform(0.06, 0.45, n)) - 0.25 * (segment == 2)  # noqa: PLR2004 enterprise
    log_users = np.clip(log_users, np.log(2), np.log(4_000))
    wanted = np.exp(log_users) / rng.uniform(0.45, 1.02, n)
    plan = np.minimum(np.searchsorted(SEATS_MAX[:TOP_PLAN], wanted), TOP_PLAN)
    plan = np.minimum(plan + (rng.random(n) < 0.12), TOP_PLAN)  # noqa: PLR2004 one in eight takes more than it needs
    seats = np.clip(np.ceil(wanted).astype(np.int64), SEATS_INCLUDED[plan], SEATS_MAX[plan])
    uses_api = rng.random(n) < np.array([0.45, 0.7, 0.9])[segment]
    log_api = LOG_API_LIMIT[plan] + np.log(0.28) + 0.7 * rng.standard_normal(n) - log_users
    log_storage = LOG_STORAGE_LIMIT[plan] + np.log(0.22) + 0.7 * rng.standard_normal(n)
    annual = rng.random(n) < np.array([0.3, 0.6, 0.9])[segment]
    yearly_bill = annual & (rng.random(n) < 0.5)  # noqa: PLR2004 half of them
    discount = rng.choice([0.0, 0.05, 0.10, 0.15, 0.20, 0.30], n, p=[0.4, 0.2, 0.18, 0.1, 0.07, 0.05])

    traits = Traits(
        segment=segment,
        region=region,
        industry=industry,
        health_mean=0.15 + 0.8 * rng.standard_normal(n),
        growth_per_day=(np.array([0.10, 0.14, 0.10])[segment] + 0.22 * rng.standard_normal(n)) / 365,
        log_employees=log_employees,
        log_api_per_user=np.where(uses_api, log_api, _NO_API),
        storage_growth_per_day=rng.uniform(0.1, 0.5, n) / 365,
        discount=discount,
        churn_offset=np.array([0.30, -0.15, -0.60])[segment]
        - 1.5 * discount
        - 0.7 * annual
        + 0.3 * rng.standard_normal(n),
        upsell_offset=np.array([-0.05, 0.15, 0.05])[segment] + 0.3 * rng.standard_normal(n),
        late_rate=np.clip(np.exp(np.log(0.018) + 1.3 * rng.standard_normal(n)), 0.002, 0.6),
        bill_day=rng.integers(1, 29, n),
        bill_month=np.where(yearly_bill, rng.integers(1, 13, n), 0),
        auto_renew=rng.random(n) < 0.75,  # noqa: PLR2004 three of four
        seat_step=rng.uniform(1.12, 1.6, n),
        persuadability=0.15 * rng.standard_normal((n, len(ACTIONS))),
    )
    never = np.full(n, np.inf)
    terms = (-first_day) // TERM_DAYS + 1
    first_state = State(
        paying=there.copy(),
        health=traits.health_mean + np.where(there, 0.35, -0.1) + 0.6 * rng.standard_normal(n),
        onboarded=there & (rng.random(n) < 0.92),  # noqa: PLR2004 some never do
        log_users=log_users,
        log_storage=log_storage,
        plan=plan.astype(np.int64),
        seats=seats,
        log_seats=np.log(seats),
        log_api_limit=LOG_API_LIMIT[plan],
        log_storage_limit=LOG_STORAGE_LIMIT[plan],
        paid_from=np.where(there, first_day, np.inf).astype(np.float64),
        term_end=np.where(there & annual, first_day + terms * TERM_DAYS, np.inf).astype(np.float64),
        unpaid_due=never.copy(),
        effect_churn=np.zeros(n),
        effect_upsell=np.zeros(n),
        effect_until=-never,
        next_treatment=np.zeros(n),
    )
    place = (rng.random(n) ** 1.5 * np.array([len(r.places) for r in REGIONS])[region]).astype(np.int64)
    offset = np.array([REGIONS[r].places[p].utc_offset_hours for r, p in zip(region, place, strict=True)])
    created = calendar.at(first_day) + (rng.uniform(7, 18, n) * HOUR_US).astype(np.int64)
    ids = tuple(account_id(first_position + i) for i in range(n))
    return Population(
        ids=ids,
        traits=traits,
        first_state=first_state,
        first_day=first_day,
        created_us=created,
        begins_with_trial=~there & (rng.random(n) < np.array([0.75, 0.45, 0.15])[segment]),
        annual=annual,
        bill_months=np.where(yearly_bill, 12, 1),
        utc_offset_hours=offset,
        table=_table(ids, created, traits, place, rng),
    )


def with_onboarding(population: Population, calendar: Calendar, onboarded_day: NDArray[np.int64]) -> pa.Table:
    """Return the `accounts` table of *population*.

    Args:
        population: The accounts.
        calendar: The world's days.
        onboarded_day: Day on which onboarding was completed in the history, -1 if not in it. Accounts that
            came onboarded are taken to have needed about three weeks.
    """
    before = population.first_state.onboarded
    early = population.created_us + np.minimum(21, np.maximum(-population.first_day - 1, 1)) * DAY_US
    at = np.where(before, early, calendar.at(onboarded_day) + 15 * HOUR_US)
    column = pa.array(at, mask=~before & (onboarded_day < 0)).cast(pa.timestamp("us", "UTC"))
    position = population.table.schema.get_field_index("acquisition_channel") + 1
    return population.table.add_column(position, "onboarded_at", column)


def _table(
    ids: tuple[str, ...],
    created: NDArray[np.int64],
    traits: Traits,
    place: NDArray[np.int64],
    rng: np.random.Generator,
) -> pa.Table:
    n = len(ids)

    def some(values: NDArray[np.bool_] | NDArray[np.int64], missing: float) -> pa.Array:
        return pa.array(values, mask=rng.random(n) < missing)

    places = [REGIONS[r].places[p] for r, p in zip(traits.region, place, strict=True)]
    words = rng.random((n, 3))
    names = [company_name(*row) for row in words.tolist()]
    quiet_start = rng.integers(18, 23, n)
    no_quiet = rng.random(n) < _NOT_SAID["quiet_hours"]
    consents = {name: some(rng.random(n) < share, _NOT_SAID[name]) for name, share in _CONSENT_SHARE.items()}
    industries = [INDUSTRIES[i][0] for i in traits.industry]
    channels = rng.choice(len(_PREFERRED), n, p=_PREFERRED_SHARE)
    return pa.table(
        {
            "account_id": pa.array(ids),
            "created_at": pa.array(created).cast(pa.timestamp("us", "UTC")),
            "account_name": pa.array(names),
            "segment": pa.array([SEGMENTS[s] for s in traits.segment]),
            "industry": pa.array(industries, mask=rng.random(n) < _NOT_SAID["industry"]),
            "region": pa.array([REGIONS[r].key for r in traits.region]),
            "timezone": pa.array([p.timezone for p in places], mask=rng.random(n) < _NOT_SAID["timezone"]),
            "locale": pa.array([p.locale for p in places]),
            "employees": some(
                np.round(np.exp(traits.log_employees)).astype(np.int64), _NOT_SAID["employees"]
            ),
            "acquisition_channel": pa.array(
                [_CHANNELS[c] for c in rng.choice(len(_CHANNELS), n, p=_CHANNEL_SHARE)]
            ),
            **consents,
            "preferred_channel": pa.array(
                [_PREFERRED[c] for c in channels], mask=rng.random(n) < _NOT_SAID["preferred_channel"]
            ),
            "quiet_hours_start": pa.array(quiet_start, mask=no_quiet),
            "quiet_hours_end": pa.array(rng.integers(6, 10, n), mask=no_quiet),
        }
    )
