"""The truth that a synthetic world can tell, by simulating futures with the world's own law.

From the full latent state of an account at a month's end, futures of 90 days are simulated with exactly the
functions that made the history (`dynamics.step`): unknown incidents, payments, treatments and plan changes
are drawn anew. Leaving is not drawn: each future is drawn given that the account stays, and the day's
probabilities of leaving, `c_t`, and of an upsell, `u_t`, are integrated. That is a Rao-Blackwell estimate:
unbiased, with far less noise than counting. With `S_t = prod_{s<=t} (1 - c_s)`, and `N_t` 1 while the future
had no upsell before t, else 0:

    P(churn within H)  = mean over futures of 1 - S_H
    P(upsell within H) = mean over futures of sum_{t<=H} S_{t-1} N_t u_t   (held at most 1)

Futures come in mirrored pairs (antithetic variates). The effect of a treatment is the difference between two
such means, one with the action applied and one without, from the same state and with the same random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from training.synthetic.dynamics import step
from training.synthetic.hazards import hazards
from training.synthetic.state import State, draw_mirrored, limit_proximity
from training.synthetic.streams import Purpose, stream
from training.synthetic.treatments import ACTIONS, OUTCOME_DAYS, set_effects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.synthetic.accounts import Population
    from training.synthetic.calendar import Calendar
    from training.synthetic.history import History
    from training.synthetic.state import Traits

HORIZONS_DAYS = (30, 60, 90)
_TIME = pa.timestamp("us", "UTC")
_DECIMALS = 9
_MAX_PATHS_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True)
class Futures:
    """Probabilities of m accounts within each of `HORIZONS_DAYS`, shape (m, 3) each."""

    churn: NDArray[np.float64]
    upsell: NDArray[np.float64]


def simulate_futures(
    traits: Traits,
    state: State,
    day: NDArray[np.int64],
    calendar: Calendar,
    rng: np.random.Generator,
    *,
    paths: int,
) -> Futures:
    """Return the probabilities of m accounts from the end of *day* on.

    Args:
        traits: Of the m accounts.
        state: Of the same at the end of *day*; not changed.
        day: World day of each, shape (m,).
        calendar: Must know 90 days more than the latest *day*.
        rng: Source of randomness; the number of values drawn depends only on m and *paths*.
        paths: Futures an account, an even number.
    """
    m = state.health.shape[0]
    churn, upsell = np.empty((m, len(HORIZONS_DAYS))), np.empty((m, len(HORIZONS_DAYS)))
    at_once = max(_MAX_PATHS_AT_ONCE // paths, 1)
    for first in range(0, m, at_once):
        some = np.arange(first, min(first + at_once, m))
        index = np.repeat(some, paths)
        on = traits.take(index)
        now = state.take(index)
        today = day[index]
        stays, fresh, gained = np.ones(index.size), np.ones(index.size), np.zeros(index.size)
        for ahead in range(1, HORIZONS_DAYS[-1] + 1):
            draws = draw_mirrored(rng, index.size)
            what = step(on, now, today + ahead, calendar, draws, condition_on_staying=True)
            gained += stays * fresh * what.upsell
            stays *= 1.0 - what.churn
            fresh[what.expanded] = 0.0
            if ahead in HORIZONS_DAYS:
                column = HORIZONS_DAYS.index(ahead)
                churn[some, column] = 1.0 - stays.reshape(-1, paths).mean(axis=1)
                upsell[some, column] = np.minimum(gained.reshape(-1, paths).mean(axis=1), 1.0)
    return Futures(churn, upsell)


def hazard_table(
    population: Population, history: History, calendar: Calendar, *, seed: int, block: int, paths: int
) -> pa.Table:
    """Return the truth of hazards: one row a paying account and month end, with health and probabilities."""
    snapshots = [snapshot for snapshot in history.snapshots if snapshot[1].size]
    if not snapshots:
        return _empty(HAZARDS_SCHEMA)
    accounts = np.concatenate([accounts for _, accounts, _ in snapshots])
    day = np.repeat([day for day, _, _ in snapshots], [accounts.size for _, accounts, _ in snapshots])
    traits, state = population.traits.take(accounts), joined([state for _, _, state in snapshots])
    rng = stream(seed, Purpose.TRUTH, block)
    futures = simulate_futures(traits, state, day, calendar, rng, paths=paths)
    churn, _, upsell = hazards(traits, state, day, limit_proximity(traits, state))
    columns = {
        "account_id": pa.array([population.ids[account] for account in accounts], pa.string()),
        "as_of": pa.array(calendar.at(day + 1)).cast(_TIME),
        "health": pa.array(np.round(state.health, _DECIMALS)),
        "churn_hazard_per_day": pa.array(np.round(churn, _DECIMALS)),
        "upsell_hazard_per_day": pa.array(np.round(upsell, _DECIMALS)),
    }
    for name, values in (("churn", futures.churn), ("upsell", futures.upsell)):
        for column, horizon in enumerate(HORIZONS_DAYS):
            columns[f"{name}_probability_{horizon}d"] = pa.array(np.round(values[:, column], _DECIMALS))
    return pa.table(columns)


def joined(states: list[State]) -> State:
    """Return the entries of *states* one after another."""
    return State(
        *(np.concatenate([getattr(state, name) for state in states]) for name in State.__dataclass_fields__)
    )


def effect_table(
    population: Population, history: History, calendar: Calendar, *, seed: int, block: int, paths: int
) -> pa.Table:
    """Return the truth of treatments: one row a draw of the policy, whichever arm it got.

    `effect_retained_90d` and `effect_expanded_90d` are probabilities with the action less probabilities
    without it.
    """
    draws = history.treatments
    if not draws:
        return _empty(EFFECTS_SCHEMA)
    account = np.array([draw.account for draw in draws])
    day = np.array([draw.day for draw in draws])
    traits = population.traits.take(account)
    state = joined(history.treatment_states)
    everyone = np.arange(len(draws))
    zero = np.zeros(len(draws))
    arms = {}
    for arm, churn, upsell in (
        ("held_out", zero, zero),
        ("treated", np.array([d.effect_churn for d in draws]), np.array([d.effect_upsell for d in draws])),
    ):
        start = state.take(everyone)
        set_effects(start, everyone, churn, upsell, day.astype(np.float64))
        rng = stream(seed, Purpose.TRUTH_TREATMENTS, block)
        arms[arm] = simulate_futures(traits, start, day, calendar, rng, paths=paths)
    column = HORIZONS_DAYS.index(OUTCOME_DAYS)
    retained = {arm: 1.0 - futures.churn[:, column] for arm, futures in arms.items()}
    expanded = {arm: futures.upsell[:, column] for arm, futures in arms.items()}
    return pa.table(
        {
            "treatment_id": pa.array(
                [treatment_id(population.ids[d.account], d.day) for d in draws], pa.string()
            ),
            "account_id": pa.array([population.ids[d.account] for d in draws], pa.string()),
            "action": pa.array([ACTIONS[d.action] for d in draws], pa.string()),
            "retained_probability_90d_treated": pa.array(np.round(retained["treated"], _DECIMALS)),
            "retained_probability_90d_held_out": pa.array(np.round(retained["held_out"], _DECIMALS)),
            "effect_retained_90d": pa.array(np.round(retained["treated"] - retained["held_out"], _DECIMALS)),
            "expanded_probability_90d_treated": pa.array(np.round(expanded["treated"], _DECIMALS)),
            "expanded_probability_90d_held_out": pa.array(np.round(expanded["held_out"], _DECIMALS)),
            "effect_expanded_90d": pa.array(np.round(expanded["treated"] - expanded["held_out"], _DECIMALS)),
        }
    )


def treatment_id(account_id: str, day: int) -> str:
    """Return the id of the treatment drawn for an account on a world day."""
    return f"{account_id}-t{day:04d}"


HAZARDS_SCHEMA = pa.schema(
    [("account_id", pa.string()), ("as_of", _TIME), ("health", pa.float64()),
     ("churn_hazard_per_day", pa.float64()), ("upsell_hazard_per_day", pa.float64()),
     *((f"{name}_probability_{h}d", pa.float64()) for name in ("churn", "upsell") for h in HORIZONS_DAYS)]
)  # fmt: skip
EFFECTS_SCHEMA = pa.schema(
    [("treatment_id", pa.string()), ("account_id", pa.string()), ("action", pa.string()),
     *((f"{name}", pa.float64()) for name in (
         "retained_probability_90d_treated", "retained_probability_90d_held_out", "effect_retained_90d",
         "expanded_probability_90d_treated", "expanded_probability_90d_held_out", "effect_expanded_90d"))]
)  # fmt: skip


def _empty(schema: pa.Schema) -> pa.Table:
    return schema.empty_table()
