"""Expansion from 90 to 365 days, from rows of which less than a year was seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.heads.planted import DEFINITIONS, NAMES, SPLIT, planted
from training.errors import TooLittleDataError
from training.heads.long_horizon import fit_long_interval, long_probability, piece_edges, pieces_seen
from training.heads.train import train_head

RATE = 0.002
"""Expansions a day after day 90, for everybody."""


@pytest.fixture(scope="module")
def world():
    """A head, and rows whose expansions after day 90 come at a known rate; what lies past day 250 is not seen."""
    parts = planted(9, accounts=600).parts(SPLIT, DEFINITIONS)
    head = train_head(
        "upsell",
        parts.train.head_rows("upsell"),
        parts.validation.head_rows("upsell"),
        None,
        definitions=DEFINITIONS,
        feature_names=NAMES,
        seed=3,
        num_threads=1,
        progress=lambda _: None,
    ).head
    labels = parts.refit.labels
    days = labels.event_days["upsell"]
    later = 90 + np.random.default_rng(1).exponential(1 / RATE, len(days))
    days = np.where(np.isfinite(days), days, later)
    seen = replace(
        labels,
        event_days={**labels.event_days, "upsell": days},
        observed_days={**labels.observed_days, "upsell": np.full(len(days), 250.0)},
    )
    return head, replace(parts.refit, labels=seen)


def test_rows_seen_for_part_of_the_year_give_the_rate_of_all_of_it(world):
    """From 160 of 275 days, the hazard of the whole interval is near `1 - exp(-275 * rate)`."""
    head, rows = world
    interval = fit_long_interval(head, rows)
    assert interval.seen_pieces == 2
    margin = head.boosters[-1].predict(rows.matrix, raw_score=True)
    assert interval.hazard(margin).mean() == pytest.approx(1 - np.exp(-275 * RATE), abs=0.05)


def test_the_year_is_never_less_likely_than_its_first_quarter(world):
    """P by 365 days is at least P by 90, and within 0 and 1."""
    head, rows = world
    year = long_probability(head, fit_long_interval(head, rows), rows.matrix)
    assert (year >= head.probabilities(rows.matrix)[:, -1]).all()
    assert year.max() <= 1


def test_too_few_events_are_refused(world):
    """Rows that were seen for less than a piece teach nothing, and the error says so."""
    head, rows = world
    short = replace(
        rows.labels, observed_days={**rows.labels.observed_days, "upsell": np.full(len(rows.matrix), 100.0)}
    )
    with pytest.raises(TooLittleDataError, match="0 events were seen"):
        fit_long_interval(head, replace(rows, labels=short))


def test_a_row_lives_through_the_pieces_that_were_seen():
    """An event in the second piece is one lived piece and one event; a censored row has only what was seen."""
    found = pieces_seen(np.array([150.0, np.inf]), np.array([365.0, 160.0]), np.array([90.0, 140.0, 190.0]))
    lived = found.event == 0
    assert found.rows[lived].tolist() == [0, 1]
    assert found.weight[lived].tolist() == [1.0, 1.0]
    assert found.events == 1


def test_pieces_that_were_over_before_a_fit_teach_nothing_new():
    """Only pieces that end after the day of the fit count, and of those only what was seen."""
    edges = np.array([90.0, 140.0, 190.0])
    days, observed = np.array([150.0, np.inf, 100.0]), np.array([365.0, 160.0, 365.0])
    found = pieces_seen(days, observed, edges, reach=np.array([140.0, 0.0, 140.0]))
    assert (found.rows.tolist(), found.event.tolist()) == ([1, 0], [0.0, 1.0])


def test_pieces_are_equal_and_those_of_an_interval_are_the_ones_it_was_fitted_to(world):
    """About as long as asked for, at least one; an interval's edges follow its number of pieces, not the default."""
    assert piece_edges(90, 365).tolist() == [90.0, 145.0, 200.0, 255.0, 310.0, 365.0]
    assert piece_edges(90, 100).tolist() == [90.0, 100.0]
    interval = fit_long_interval(*world, piece_days=80)
    assert interval.edges(90).tolist() == piece_edges(90, 365, 80).tolist()
    assert len(interval.edges(90)) == 4
