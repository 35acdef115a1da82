"""The true effect of every action at every draw of a synthetic world, also of the actions that were not drawn.

The truth files hold the effect of the drawn action alone. The world is seeded, so its history can be told again, and
each draw's state played forward under every action with the world's own law. Futures are played in two halves that
share no randomness, so that products of the two are free of the futures' noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.synthetic import incidents as failing
from training.synthetic.accounts import populate
from training.synthetic.calendar import make_calendar
from training.synthetic.history import simulate
from training.synthetic.settings import BLOCK_ACCOUNTS
from training.synthetic.state import limit_proximity
from training.synthetic.streams import Purpose, stream
from training.synthetic.treatments import ACTIONS, OUTCOME_DAYS, effects, set_effects
from training.synthetic.truth import HORIZONS_DAYS, joined, simulate_futures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.synthetic.settings import WorldSettings
    from training.treatments import LoggedTreatments


@dataclass(frozen=True, slots=True)
class Truth:
    """True effects of all actions.

    Attributes:
        retained: By account and day (`datetime64[D]`), the effect of each of the world's actions by either half of
            the futures, shape (2, 5).
        expanded: Likewise.
    """

    retained: dict[tuple[str, np.datetime64], NDArray[np.float64]]
    expanded: dict[tuple[str, np.datetime64], NDArray[np.float64]]

    def effects(self, outcome: str, draws: LoggedTreatments, actions: Sequence[str]) -> NDArray[np.float64]:
        """Return the true effect of each of *actions* at each of *draws*, shape (n, len(actions))."""
        return np.asarray(self.halves(outcome, draws, actions).mean(axis=0), dtype=np.float64)

    def halves(self, outcome: str, draws: LoggedTreatments, actions: Sequence[str]) -> NDArray[np.float64]:
        """Return the same by either half of the futures, shape (2, n, len(actions))."""
        known = self.retained if outcome == "retained" else self.expanded
        columns = [ACTIONS.index(name) for name in actions]
        days = draws.treated_at.astype("datetime64[D]")
        return np.stack(
            [known[account, day][:, columns] for account, day in zip(draws.account_id, days, strict=True)],
            axis=1,
        )


def treatment_truth(settings: WorldSettings, begin: np.datetime64, *, paths: int) -> Truth:
    """Return the true effects at every draw from *begin* on.

    Args:
        settings: What made the world.
        begin: Moment of the first draw that is asked for.
        paths: Simulated futures a draw and action, a multiple of 4.
    """
    calendar = make_calendar(settings.start, settings.days)
    shared = failing.shared_incidents(calendar, stream(settings.seed, Purpose.INCIDENTS))
    found = Truth({}, {})
    column = HORIZONS_DAYS.index(OUTCOME_DAYS)
    for block in range(settings.blocks):
        first = block * BLOCK_ACCOUNTS
        people = populate(
            calendar, first, settings.block_size(block), stream(settings.seed, Purpose.ACCOUNTS, block, 0)
        )
        own = failing.account_incidents(
            calendar, people.size, stream(settings.seed, Purpose.INCIDENTS, block, 1)
        )
        impact = failing.impact_matrix(calendar, shared, people.traits.region)
        impact += failing.impact_matrix(calendar, own, people.traits.region)
        history = simulate(people, calendar, impact, stream(settings.seed, Purpose.LIFECYCLE, block, 0))
        days = np.array([draw.day for draw in history.treatments])
        moments = calendar.at(days).astype("datetime64[us]").astype("datetime64[D]")
        wanted = np.flatnonzero(moments >= begin.astype("datetime64[D]"))
        if not wanted.size:
            continue
        account = np.array([history.treatments[index].account for index in wanted])
        day = days[wanted]
        traits = people.traits.take(account)
        state = joined(history.treatment_states).take(wanted)
        full, zero, everyone = limit_proximity(traits, state), np.zeros(wanted.size), np.arange(wanted.size)
        pairs = [(zero, zero)] + [
            effects(np.full(wanted.size, action), traits, state, full, day.astype(np.float64))
            for action in range(len(ACTIONS))
        ]
        retained, expanded = [], []
        for churn, upsell in pairs:
            start = state.take(everyone)
            set_effects(start, everyone, churn, upsell, day.astype(np.float64))
            futures = [
                simulate_futures(
                    traits,
                    start,
                    day,
                    calendar,
                    stream(settings.seed, Purpose.TRUTH_TREATMENTS, block, half),
                    paths=paths // 2,
                )
                for half in range(2)
            ]
            retained.append(np.stack([1.0 - half.churn[:, column] for half in futures]))
            expanded.append(np.stack([half.upsell[:, column] for half in futures]))
        for known, arms in ((found.retained, retained), (found.expanded, expanded)):
            gain = np.stack(arms[1:], axis=2) - arms[0][:, :, None]
            for index, one in enumerate(account):
                known[people.ids[one], moments[wanted[index]]] = gain[:, index]
    return found
