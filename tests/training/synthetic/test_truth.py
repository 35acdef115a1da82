"""The truth: calibrated against what happened, driven by health, and with the right signs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.training.synthetic.conftest import read_table
from training.synthetic.accounts import Population, populate
from training.synthetic.calendar import Calendar, make_calendar
from training.synthetic.hazards import hazards
from training.synthetic.history import History, simulate
from training.synthetic.incidents import account_incidents, impact_matrix, shared_incidents
from training.synthetic.state import limit_proximity
from training.synthetic.streams import Purpose, stream
from training.synthetic.treatments import (
    ACTIONS,
    OFFER,
    OUTCOME_DAYS,
    PROPENSITY_RANGE,
    SEATS,
    set_effects,
)
from training.synthetic.truth import effect_table, hazard_table, simulate_futures

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray

    from training.synthetic.settings import WorldReport

ACCOUNTS, DAYS, SEED = 2_000, 150, 21
FROM_DAY = 58


@pytest.fixture(scope="module")
def wide() -> tuple[Population, History, Calendar]:
    """A history of 2,000 accounts without tables."""
    calendar = make_calendar(dt.date(2025, 1, 1), DAYS)
    population = populate(calendar, 0, ACCOUNTS, stream(SEED, Purpose.ACCOUNTS))
    region = population.traits.region
    impact = impact_matrix(calendar, shared_incidents(calendar, stream(SEED, Purpose.INCIDENTS)), region)
    impact += impact_matrix(
        calendar, account_incidents(calendar, ACCOUNTS, stream(SEED, Purpose.INCIDENTS, 0, 1)), region
    )
    return population, simulate(population, calendar, impact, stream(SEED, Purpose.LIFECYCLE)), calendar


@pytest.fixture(scope="module")
def judged(wide: tuple[Population, History, Calendar]) -> dict[str, NDArray[np.float64]]:
    """Truth at the end of February beside what happened in the 90 days after."""
    population, history, calendar = wide
    snapshot = next(found for found in history.snapshots if found[0] == FROM_DAY)
    one = History(**{name: getattr(history, name) for name in History.__dataclass_fields__})
    one.snapshots = [snapshot]
    truth = hazard_table(population, one, calendar, seed=SEED, block=0, paths=16)
    window = slice(FROM_DAY + 1, FROM_DAY + 1 + OUTCOME_DAYS)
    result = {
        name: truth[name].to_numpy() for name in truth.column_names if name not in {"account_id", "as_of"}
    }
    result["left"] = history.left[snapshot[1], window].any(axis=1).astype(np.float64)
    result["expanded"] = history.expanded[snapshot[1], window].any(axis=1).astype(np.float64)
    return result


def test_true_probabilities_agree_with_what_happened(judged: dict[str, NDArray[np.float64]]) -> None:
    """In the large, as many accounts leave and expand as the truth expects, within chance and shared luck."""
    for truth, event in (("churn_probability_90d", "left"), ("upsell_probability_90d", "expanded")):
        expected, happened = judged[truth].sum(), judged[event].sum()
        spread = np.sqrt((judged[truth] * (1 - judged[truth])).sum())
        assert abs(happened - expected) < 3 * spread + 0.12 * expected, (truth, happened, expected)


def test_true_probabilities_rank_but_do_not_foretell(judged: dict[str, NDArray[np.float64]]) -> None:
    """The truth ranks leavers and growers well, and chance keeps it far from certain."""
    assert 0.74 < roc_auc_score(judged["left"], judged["churn_probability_90d"]) < 0.92
    assert 0.72 < roc_auc_score(judged["expanded"], judged["upsell_probability_90d"]) < 0.92


def test_base_rates_are_those_of_a_business(judged: dict[str, NDArray[np.float64]]) -> None:
    """Four to eight in a hundred leave within 90 days, six to ten grow (with room for chance)."""
    assert 0.035 < judged["churn_probability_90d"].mean() < 0.085
    assert 0.055 < judged["upsell_probability_90d"].mean() < 0.11


def test_unwell_accounts_leave_more(judged: dict[str, NDArray[np.float64]]) -> None:
    """The least healthy fifth leaves several times as often as the healthiest."""
    low, high = np.quantile(judged["health"], [0.2, 0.8])
    sick, well = judged["health"] < low, judged["health"] > high
    assert judged["left"][sick].mean() > 3 * judged["left"][well].mean()
    assert judged["churn_probability_90d"][sick].mean() > 5 * judged["churn_probability_90d"][well].mean()


def test_longer_horizons_are_likelier(judged: dict[str, NDArray[np.float64]]) -> None:
    """Probabilities lie in [0, 1] and never fall from 30 to 60 to 90 days."""
    for event in ("churn", "upsell"):
        thirty, sixty, ninety = (judged[f"{event}_probability_{days}d"] for days in (30, 60, 90))
        assert (thirty >= 0).all()
        assert (ninety <= 1).all()
        assert (thirty <= sixty).all()
        assert (sixty <= ninety).all()


def test_more_futures_agree_with_few(wide: tuple[Population, History, Calendar]) -> None:
    """Integrating few futures gives the mean of an independent run with many: the estimate is unbiased."""
    population, history, calendar = wide
    day, accounts, state = next(found for found in history.snapshots if found[0] == FROM_DAY)
    traits, days = population.traits.take(accounts), np.full(accounts.size, day)
    few = simulate_futures(traits, state, days, calendar, np.random.default_rng(1), paths=4)
    many = simulate_futures(traits, state, days, calendar, np.random.default_rng(2), paths=32)
    assert few.churn[:, -1].mean() == pytest.approx(many.churn[:, -1].mean(), rel=0.08)
    assert few.upsell[:, -1].mean() == pytest.approx(many.upsell[:, -1].mean(), rel=0.08)
    assert np.corrcoef(few.churn[:, -1], many.churn[:, -1])[0, 1] > 0.85


def test_effects_differ_in_sign(wide: tuple[Population, History, Calendar]) -> None:
    """Each action helps some accounts, offers make some leave, and most actions do nothing to many."""
    population, history, calendar = wide
    effects = effect_table(population, history, calendar, seed=SEED, block=0, paths=8)
    action = np.array(effects["action"].to_pylist())
    retained = effects["effect_retained_90d"].to_numpy()
    expanded = effects["effect_expanded_90d"].to_numpy()
    assert set(action) == set(ACTIONS)
    for name in ACTIONS:
        assert (retained[action == name] > 0.005).any() or (expanded[action == name] > 0.02).any()
    offers = retained[action == ACTIONS[OFFER]]
    assert np.mean(offers < -0.003) > 0.03
    assert np.mean(offers > 0.003) > 0.1
    assert expanded[action == ACTIONS[SEATS]].max() > 0.1
    assert np.mean(np.abs(retained) < 0.005) > 0.3


def test_effects_are_really_applied(wide: tuple[Population, History, Calendar]) -> None:
    """A treatment multiplies the odds of both events from the next day on, for 60 days and no longer."""
    population, history, _ = wide
    day, accounts, state = next(found for found in history.snapshots if found[0] == FROM_DAY)
    traits, everyone = population.traits.take(accounts), np.arange(accounts.size)
    full = limit_proximity(traits, state)
    plain, acted = state.take(everyone), state.take(everyone)
    set_effects(
        plain, everyone, np.zeros(accounts.size), np.zeros(accounts.size), np.full(accounts.size, day)
    )
    set_effects(
        acted,
        everyone,
        np.full(accounts.size, -0.7),
        np.full(accounts.size, 0.9),
        np.full(accounts.size, day),
    )
    for ahead, churn_factor, upsell_factor in ((1, -0.7, 0.9), (60, -0.7, 0.9), (61, 0.0, 0.0)):
        churn, nonpayment, upsell = hazards(traits, plain, day + ahead, full)
        churn_acted, _, upsell_acted = hazards(traits, acted, day + ahead, full)
        moves = (nonpayment == 0) & (churn < 0.2) & (upsell > 0) & (upsell_acted < 0.2)
        assert moves.mean() > 0.8
        assert np.log(_odds(churn_acted[moves]) / _odds(churn[moves])) == pytest.approx(churn_factor)
        assert np.log(_odds(upsell_acted[moves]) / _odds(upsell[moves])) == pytest.approx(upsell_factor)


def _odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return probability / (1 - probability)


def test_propensities_are_what_they_say(small_table: Callable[[str], pa.Table]) -> None:
    """Chances lie within 0.2 to 0.8, and as many are treated as they add up to."""
    table = small_table("treatments")
    chance = table["propensity"].to_numpy()
    treated = np.array(table["arm"].to_pylist()) == "treated"
    low, high = PROPENSITY_RANGE
    assert chance.min() >= low - 1e-9
    assert chance.max() <= high + 1e-9
    to_treat = np.where(treated, chance, 1 - chance)
    assert len(np.unique(np.round(to_treat, 3))) > 20
    spread = np.sqrt((to_treat * (1 - to_treat)).sum())
    assert abs(treated.sum() - to_treat.sum()) < 4 * spread
    for low_edge, high_edge in ((0.2, 0.45), (0.45, 0.6), (0.6, 0.81)):
        some = (to_treat >= low_edge) & (to_treat < high_edge)
        assert abs(treated[some].mean() - to_treat[some].mean()) < 4 * np.sqrt(0.25 / some.sum())


def test_outcomes_agree_with_subscriptions(small_table: Callable[[str], pa.Table]) -> None:
    """A retained account has no end within 90 days; outcomes are null while they can't be known."""
    ends: dict[str, list[dt.datetime]] = {}
    for row in small_table("subscriptions").to_pylist():
        if row["end_reason"] in {"voluntary", "nonpayment"} and not row["is_trial"]:
            ends.setdefault(row["account_id"], []).append(row["ended_at"])
    known = 0
    for row in small_table("treatments").to_pylist():
        if row["outcome_at"] is None:
            assert row["outcome_retained"] is None
            continue
        known += 1
        left = any(row["treated_at"] < end <= row["outcome_at"] for end in ends.get(row["account_id"], []))
        assert row["outcome_retained"] is not left
        if left:
            assert row["outcome_extra_mrr"] < 0
    assert known > 100


def test_every_treatment_has_its_truth(small_report: WorldReport) -> None:
    """Truth and table have the same treatments, and truth has a row per paying account and month end."""
    told = read_table(small_report.dest, "treatments")["treatment_id"].to_pylist()
    true = read_table(small_report.dest, "truth/treatment_effects")["treatment_id"].to_pylist()
    assert sorted(told) == sorted(true)
    hazards = read_table(small_report.dest, "truth/hazards")
    assert hazards.group_by(["account_id", "as_of"]).aggregate([]).num_rows == hazards.num_rows
    last = max(hazards["as_of"].to_pylist())
    running = [
        row
        for row in read_table(small_report.dest, "subscriptions").to_pylist()
        if row["ended_at"] is None and not row["is_trial"]
    ]
    assert sum(at == last for at in hazards["as_of"].to_pylist()) == len(running)
