"""Correlated features speak once, the strongest first, through the one that pushes hardest."""

from __future__ import annotations

import numpy as np
import pytest

from feature_repo.contract import ContractFeature
from serving.scoring.signals import SHOWN, SignalTables, make_signal_tables, strongest_signals

COLUMNS = (
    ("logins_7d", "Float64", "logins"),
    ("logins_28d", "Float64", "logins"),
    ("seats", "Int64", "seats"),
    ("plan", "String", "plan"),
    ("onboarded", "Bool", "onboarding"),
    ("tickets", "Int64", "tickets"),
)


@pytest.fixture(scope="module")
def tables() -> SignalTables:
    """Return the tables of six features in five signals."""
    return make_signal_tables(
        [
            ContractFeature.model_validate(
                {
                    "view": "usage",
                    "name": name,
                    "dtype": dtype,
                    "role": "model",
                    "description": f"The {name}.",
                    "signal": signal,
                    "text": "",
                    "redis_field_hex": "00",
                }
            )
            for name, dtype, signal in COLUMNS
        ]
    )


def pick(tables: SignalTables, contributions: list[float], values: list[float], plan: str | None = "pro"):
    """Return (raising, lowering) of one account."""
    return strongest_signals(
        tables, np.array([contributions], dtype=np.float32), np.array([values]), [{"plan": plan}]
    )[0][:2]


def test_what_is_not_shown_is_told_in_sum(tables: SignalTables) -> None:
    """Others are all contributions but those that are shown, weak signals included, alone and among many."""
    contributions = np.array([[0.2, 0.3, 0.1, 0.004, 0.05, -0.4], [0.0] * 6], dtype=np.float32)
    values, context = np.ones((2, 6)), [{"plan": "pro"}] * 2
    alone = [strongest_signals(tables, contributions[row : row + 1], values, context)[0] for row in (0, 1)]
    assert alone[0].others == 0.004
    assert alone == strongest_signals(tables, contributions, values, context)
    weaker = np.array([[0.06, 0.05, 0.1, 0.09, 0.08, -0.4]], dtype=np.float32)
    assert strongest_signals(tables, weaker, values[:1], context[:1])[0].others == 0.08


def test_windows_of_one_signal_add_up_and_speak_once(tables: SignalTables) -> None:
    """Two features of one signal are one entry with their sum, told by the larger."""
    raising, lowering = pick(tables, [0.2, 0.3, 0.1, 0, 0, -0.4], [3, 4, 5, 1, 1, 2])
    assert [(signal.signal, signal.feature, signal.value) for signal in raising] == [
        ("logins", "logins_28d", 4.0),
        ("seats", "seats", 5),
    ]
    assert raising[0].contribution == pytest.approx(0.5, abs=1e-4)
    assert [(signal.signal, signal.contribution) for signal in lowering] == [("tickets", -0.4)]


def test_the_speaker_pushes_in_the_direction_of_the_sum(tables: SignalTables) -> None:
    """When features of a signal disagree, the sentence is of one that agrees with the sum."""
    raising, lowering = pick(tables, [0.5, -0.6, 0, 0, 0, 0], [3, 4, 5, 1, 1, 2])
    assert raising == ()
    assert [(signal.feature, signal.contribution) for signal in lowering] == [("logins_28d", -0.1)]


def test_at_most_three_and_none_that_hardly_counts(tables: SignalTables) -> None:
    """Three signals at most in each direction; those below 0.005 in log-odds are left out."""
    raising, lowering = pick(tables, [0.1, 0.0, 0.2, 0.3, 0.4, 0.0049], [1] * 6)
    assert [signal.signal for signal in raising] == ["onboarding", "plan", "seats"]
    assert len(raising) == SHOWN
    assert lowering == ()
    raising, _ = pick(tables, [0.0049, 0, 0, 0, 0, 0.0051], [1] * 6)
    assert [signal.signal for signal in raising] == ["tickets"]


def test_values_have_their_own_types(tables: SignalTables) -> None:
    """Counts are ints, flags bools, plans strings; what is missing is None, and its sentence says so."""
    raising, lowering = pick(tables, [0, 0, 0.1, 0.3, 0.2, -1], [1, 1, 7, 2, 0, float("nan")])
    assert {signal.feature: signal.value for signal in raising} == {
        "plan": "pro",
        "onboarded": False,
        "seats": 7,
    }
    assert lowering[0].value is None
    assert lowering[0].text == "Nothing is known of this: the tickets"
    raising, _ = pick(tables, [0, 0, 0, 1, 0, 0], [1] * 6, plan=None)
    assert raising[0].value is None
    raising, _ = pick(tables, [1, 0, 0, 0, 0, 0], [float("inf")] * 6)
    assert raising[0].value is None


def test_rows_do_not_mix(tables: SignalTables) -> None:
    """Many accounts at once get what each gets alone."""
    random = np.random.default_rng(0)
    contributions = random.normal(size=(50, 6)).astype(np.float32)
    matrix = np.round(random.normal(size=(50, 6)), 3)
    context = [{"plan": f"plan {row}"} for row in range(50)]
    together = strongest_signals(tables, contributions, matrix, context)
    for row in range(50):
        part = slice(row, row + 1)
        assert strongest_signals(tables, contributions[part], matrix[part], context[part]) == [together[row]]
