"""Acting by the candidate's effects against acting by the champion's, on the same draws, which neither has learnt from.

The two policies are judged draw by draw, doubly robust with the same outcome models, and the difference has an interval
of its own over resampled accounts. What the champion says of a draw is what its judged effects said if it held the draw
out too, and what its graph says if the draw's outcome was not known yet when the champion was trained; its shipped
effects have learnt from the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.errors import PromotionError
from training.evaluation.compare_outlook import PairedDifference, outlook_of
from training.evaluation.held_out_draws import EFFECT, EXPECTED, KEYS, arms_of, as_log, draws_of
from training.evaluation.policy_value import doubly_robust, greedy_policy

_SLACK = np.timedelta64(1, "D")
"""Outcomes are dated at a day's end, so that a window may count as over a day early."""

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from training.evaluation.compare import OpenBundle
    from training.evaluation.compare_outlook import Resampling


def policy_difference(
    draws: pd.DataFrame,
    champion: OpenBundle,
    champion_draws: pd.DataFrame | None,
    outcome: str,
    how: Resampling,
    *,
    least: int,
) -> PairedDifference:
    """Return by how much more, or less, accounts stay or expand a draw than by the champion's effects.

    Both take the action of the largest effect above zero among those that could be drawn; an action that the champion
    says nothing of is one that it does not take.

    Args:
        draws: The candidate's, of `training.evaluation.held_out_draws.draw_rows`.
        champion: The bundle to beat.
        champion_draws: The same of the champion, or None if they were not kept.
        outcome: Which outcome.
        how: How intervals are made.
        least: Draws that are needed.

    Raises:
        PromotionError: Fewer draws are new to both; the message says how many.
    """
    of_outcome = draws_of(draws, outcome)
    arms = arms_of(of_outcome)
    actions = arms[1:]
    theirs, held_out = _recorded(of_outcome, champion_draws, actions)
    after = ~held_out & _open_then(champion, of_outcome)
    if after.any():
        theirs[after] = _by_graph(champion, of_outcome[after], outcome, actions)
    judged = held_out | after
    if judged.sum() < least:
        raise PromotionError(
            f"of {len(of_outcome)} held-out draws {int(judged.sum())} are new to {champion.tag}, too, and {least} are "
            "needed"
        )
    rows = of_outcome[judged]
    ours = rows[[EFFECT + name for name in actions]].to_numpy(dtype=np.float64)
    log = as_log(rows)
    expected = rows[[EXPECTED + name for name in arms]].to_numpy(dtype=np.float64)
    policies = [
        greedy_policy(np.nan_to_num(one, nan=-1.0), log.propensities) for one in (ours, theirs[judged])
    ]
    bootstrap = how.of(log.account_id)
    gain = bootstrap.estimate(
        lambda weight: (
            doubly_robust(log, policies[0], expected, weight)
            - doubly_robust(log, policies[1], expected, weight)
        )
    )
    differ = float((policies[0] != policies[1]).any(axis=1).mean())
    both = int(held_out.sum())
    note = (
        f"paired on {int(judged.sum())} draws of {rows['account_id'].nunique()} accounts ({both} that both held out, "
        f"{int(after.sum())} that the champion could not know); they act differently in {differ:.0%}"
    )
    return PairedDifference({"gain": gain}, note)


def _open_then(champion: OpenBundle, draws: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which draws' outcome windows were open when the champion's data ended, so that it did not learn from them.

    A champion without effects has learnt from none.
    """
    effects = champion.manifest.effects
    if effects is None:
        return np.ones(len(draws), dtype=bool)
    known = np.datetime64(champion.manifest.window.label_end, "us") + _SLACK
    window = np.timedelta64(effects.window_days, "D")
    return np.asarray(draws["treated_at"].to_numpy() + window > known, dtype=np.bool_)


def _recorded(
    draws: pd.DataFrame, champion_draws: pd.DataFrame | None, actions: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what the champion's judged effects said of each draw, NaN where nothing, and of which it held out."""
    found = np.full((len(draws), len(actions)), np.nan)
    if champion_draws is None or champion_draws.empty:
        return found, np.zeros(len(draws), dtype=bool)
    told = champion_draws.drop_duplicates(list(KEYS)).set_index(list(KEYS))
    place = told.index.get_indexer(draws.set_index(list(KEYS)).index)
    for column, action in enumerate(actions):
        if EFFECT + action in told.columns:
            values = told[EFFECT + action].to_numpy(dtype=np.float64)
            found[:, column] = np.where(place >= 0, values[place], np.nan)
    return found, place >= 0


def _by_graph(
    champion: OpenBundle, draws: pd.DataFrame, outcome: str, actions: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return what the champion's graph says of *draws*, NaN of an action that it has no effect of."""
    effects = champion.manifest.effects
    found = np.full((len(draws), len(actions)), np.nan)
    if effects is None:
        return found
    said = outlook_of(champion, draws, [effects.output])[effects.output]
    for place, one in enumerate(effects.columns):
        if one.outcome == outcome and one.action in actions:
            found[:, actions.index(one.action)] = said[:, place]
    return found
