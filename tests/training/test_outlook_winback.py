"""The win-back head: it recovers a known truth of returns, never falls with the horizon, and needs enough returns."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.training.periods import Period, subscriptions
from tests.training.returning import (
    DEFINITIONS,
    FIRST,
    NAMES,
    SPLIT,
    day,
    returning_rows,
    trained,
    true_chance,
)
from training.definitions import WinbackDefinition
from training.labels_winback import WINBACK, label_departed
from training.synthetic.accounts import populate
from training.synthetic.calendar import make_calendar
from training.synthetic.history import RETURN_AFTER_DAYS, simulate
from training.synthetic.streams import Purpose, stream
from training.winback_rows import WinbackRows

if TYPE_CHECKING:
    from typing import Any

    from training.heads.hazard import HazardHead
    from training.uncertainty.intervals import Uncertainty


@pytest.fixture(scope="module")
def learnt(
    learnt_surely: tuple[WinbackRows, Uncertainty, dict[str, Any]],
) -> tuple[WinbackRows, HazardHead, dict[str, Any]]:
    """Return the same with the head alone."""
    rows, uncertainty, told = learnt_surely
    return rows, uncertainty.head, told


def test_returns_of_the_synthetic_world_follow_the_known_law() -> None:
    """Histories that the world simulates have as many returns after a cutoff as the law gives, and none too early."""
    accounts, days = 3_000, 420
    calendar = make_calendar(FIRST, days)
    people = populate(calendar, 0, accounts, stream(3, Purpose.ACCOUNTS))
    history = simulate(people, calendar, np.zeros((accounts, days)), stream(3, Purpose.LIFECYCLE))
    table = history.book.table()
    labels = label_departed(
        table, [day(150), day(240), day(330)], end_day=day(days - 1), definitions=DEFINITIONS
    )
    ended = table.select(["account_id", "ended_at", "is_trial"]).to_pandas().dropna(subset="ended_at")
    ended = ended[~ended["is_trial"].fillna(False).astype(bool)]
    ended["ended_at"] = ended["ended_at"].dt.tz_convert(None)
    end_of = {account: moments.to_numpy() for account, moments in ended.groupby("account_id")["ended_at"]}
    cutoffs = labels.cutoff.astype("datetime64[D]")
    since = np.array(
        [
            min((cutoff - end.astype("datetime64[D]")).astype(int) for end in end_of[account] if end < cutoff)
            - 1
            for account, cutoff in zip(labels.account_id, cutoffs, strict=True)
        ],
        dtype=np.float64,
    )
    assert since.min() == 30
    for horizon in (30, 60, 90):
        truth = true_chance(since, horizon)
        back = labels.outcome(WINBACK, horizon)
        spread = np.sqrt((truth * (1 - truth)).sum())
        assert abs(np.nansum(back) - truth.sum()) < 3 * spread
        assert truth.sum() > 5
    early = since + labels.event_days[WINBACK] < RETURN_AFTER_DAYS - 2
    assert not early.any()


def test_it_finds_the_known_truth_of_returns(learnt: tuple[WinbackRows, HazardHead, dict[str, Any]]) -> None:
    """On test rows the chances lie within a point, on average, of those that the synthetic world draws returns by."""
    rows, head, _ = learnt
    test = rows.part(SPLIT.test, DEFINITIONS)
    found = head.probabilities(test.matrix)
    for at, horizon in enumerate(head.horizons_days):
        truth = true_chance(test.matrix[:, 0], horizon)
        assert np.abs(found[:, at] - truth).mean() < 0.01
        assert np.corrcoef(found[:, at], truth)[0, 1] > 0.85
        label = test.labels.outcome(WINBACK, horizon)
        assert np.nanmean(label) == pytest.approx(truth.mean(), abs=0.01)


def test_it_is_judged_against_the_base_rate_and_the_days_alone(
    learnt: tuple[WinbackRows, HazardHead, dict[str, Any]],
) -> None:
    """It beats the base rate beyond chance; days since the end alone tell as much where nothing else does."""
    _, head, told = learnt
    assert set(told["horizons"]) == {f"{days}d" for days in head.horizons_days}
    for found in told["horizons"].values():
        assert set(found["models"]) == {"keepgrow", "base_rate", "days_since_end"}
        assert found["log_loss_gain"]["base_rate"]["low"] > 0
        assert abs(found["log_loss_gain"]["days_since_end"]["value"]) < 0.005
        assert found["observed_to_expected"]["low"] < 1 < found["observed_to_expected"]["high"]
    assert told["returns_seen"] >= told["returns_needed"]


def test_chances_never_fall_with_the_horizon(learnt: tuple[WinbackRows, HazardHead, dict[str, Any]]) -> None:
    """P30 <= P60 <= P90 for any row, missing values included."""
    _, head, _ = learnt
    rng = np.random.default_rng(1)
    matrix = rng.uniform(-1_000, 1_000, (5_000, 2))
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    found = head.probabilities(matrix)
    assert (np.diff(found, axis=1) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_too_few_returns_are_said_and_not_learnt_from() -> None:
    """With fewer returns than declared there is no head; the metrics tell how many were seen and are needed."""
    head, uncertainty, told = trained(returning_rows(120))
    assert head is None
    assert uncertainty is None
    assert told["returns_seen"] < told["returns_needed"] == DEFINITIONS.winback.min_returns
    assert told["left_out"].startswith(f"{told['returns_seen']} returns")
    assert "horizons" not in told
    nobody, _, silent = trained(returning_rows(500, chance=0.0))
    assert nobody is None
    assert silent["returns_seen"] == 0


def test_without_the_feature_there_is_nothing_to_learn_from() -> None:
    """A feature service of an earlier release, or no rows, leaves the head out with the reason."""
    for rows, names in ((None, NAMES), (returning_rows(120), ("mrr", "seats"))):
        head, uncertainty, told = trained(rows, names=names)
        assert head is None
        assert uncertainty is None
        assert "days_since_end" in told["left_out"]


def test_a_return_counts_once_however_many_cutoffs_look_forward_to_it() -> None:
    """Two cutoffs before one return are two rows of one return."""
    labels = label_departed(
        subscriptions(
            Period("2024-01-01", "2024-03-01"),
            Period("2024-06-01", None),
            Period("2024-01-01", "2024-03-01", account="b"),
        ),
        [dt.date(2024, 4, 15), dt.date(2024, 5, 1)],
        end_day=dt.date(2024, 12, 31),
        definitions=DEFINITIONS,
    )
    assert len(labels) == 4
    assert WinbackRows(labels, np.zeros((4, 2)), 0).returns == 1


def test_an_account_must_be_winnable_longer_than_the_grace_days() -> None:
    """A limit within the grace days is refused: no account could be a row."""
    values = DEFINITIONS.model_dump() | {"winback": WinbackDefinition(within_days=30).model_dump()}
    with pytest.raises(ValueError, match="within_days 30 must lie past"):
        type(DEFINITIONS).model_validate(values)
