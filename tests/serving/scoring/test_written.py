"""Scores that are written at once are, byte by byte, those that are made one by one."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest

from serving.errors import UnknownAccount
from serving.scoring import written
from serving.scoring.engine import Asked, finish, score_rows, scoring_tables
from serving.scoring.result import AccountScore
from serving.scoring.written import WrittenSayings, nothing_written, write
from tests.serving.scoring.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.bundle.loader import Bundle
    from serving.features.rows import FeatureRows

    Rows = Callable[..., FeatureRows]

AWKWARD = ('","', '",', 'a"],["b', "\n", ",\n  ", "zoë-\N{ROCKET}", "\\", "x" * 256, "\x7f\x01", "]")


def both(
    rows: FeatureRows, bundle: Bundle, now: dt.datetime = NOW, clock: str | None = None
) -> tuple[bytes, bytes]:
    """Return the scores of *rows* as they are written, and as objects made into JSON."""
    asked = Asked.of(rows)
    answer = write(asked, bundle.run_explained(asked.matrix), bundle, now, clock)
    scores = [
        one
        for index in range(len(rows.account_ids))
        for one in score_rows(alone(rows, index), bundle, now, clock)
    ]
    known = [one for one in scores if not isinstance(one, UnknownAccount)]
    assert answer.statuses == [one.evidence.status for one in known]
    assert list(answer.unknown) == [one.account_id for one in scores if isinstance(one, UnknownAccount)]
    return b"[" + answer.scores + b"]", orjson.dumps([one.to_json_value() for one in known])


def alone(rows: FeatureRows, index: int) -> FeatureRows:
    """Return the rows of one account."""
    here = slice(index, index + 1)
    return dataclasses.replace(
        rows,
        account_ids=rows.account_ids[here],
        known=rows.known[here],
        matrix=rows.matrix[here],
        as_of=rows.as_of[here],
        context=rows.context[here],
    )


@pytest.mark.parametrize("missing", [0.0, 0.1, 0.9, 1.0])
def test_written_scores_are_those_of_each_account_alone(
    bundle: Bundle, make_rows: Rows, missing: float
) -> None:
    """Whatever is missing, what is written for 150 accounts is the JSON of each one's own score."""
    fast, slow = both(make_rows(150, seed=3, missing=missing), bundle)
    assert fast == slow


def test_all_kinds_of_accounts_are_written_alike(bundle: Bundle, make_rows: Rows) -> None:
    """Unknown, stale, thin and future rows, awkward ids, unknown words and infinite values are told the same."""
    rows = make_rows(60, seed=5)
    random = np.random.default_rng(5)
    as_of, matrix, known = rows.as_of.copy(), rows.matrix.copy(), rows.known.copy()
    as_of[3:9, 0] = np.nan
    as_of[9:15] -= 400 * 86_400.0
    as_of[15:18, 1] += 7_200.0
    matrix[18:24] = np.where(random.random(matrix[18:24].shape) < 0.3, np.inf, matrix[18:24])
    matrix[24:30] = np.where(random.random(matrix[24:30].shape) < 0.3, -0.0, matrix[24:30])
    matrix[30:33, 5] = np.nan
    known[[0, 20, 59]] = False
    context = [*rows.context]
    context[30:33] = [{"plan": 'un"known \N{ROCKET}'}, {"plan": None}, {}]
    odd = dataclasses.replace(
        rows,
        account_ids=AWKWARD + rows.account_ids[len(AWKWARD) :],
        known=known,
        matrix=matrix,
        as_of=as_of,
        context=tuple(context),
    )
    fast, slow = both(odd, bundle, clock="demonstration")
    assert fast == slow
    statuses = {score["evidence"]["status"] for score in orjson.loads(fast)}
    assert statuses == {"full", "thin", "stale"}


def test_accounts_with_few_or_no_signals_are_written_alike(bundle: Bundle, make_rows: Rows) -> None:
    """Where contributions are too small to be shown, the arrays are shorter or empty, as in the object."""
    rows = make_rows(40, seed=6)
    asked = Asked.of(rows)
    outputs = bundle.run_explained(asked.matrix)
    assert outputs.contributions is not None
    weaker = np.linspace(0.0, 0.3, 40, dtype=np.float32)[:, None]
    weak = dataclasses.replace(outputs, contributions=outputs.contributions * weaker)
    fast = b"[" + write(asked, weak, bundle, NOW).scores + b"]"
    slow = orjson.dumps(
        [one.to_json_value() for one in finish(asked, weak, bundle, NOW) if isinstance(one, AccountScore)]
    )
    assert fast == slow
    lengths = {
        len(score["signals"][side]) for score in orjson.loads(fast) for side in ("raising", "lowering")
    }
    assert {0, 1, 2, 3} <= lengths


def test_a_bundle_without_a_base_is_written_as_before(bundle: Bundle, make_rows: Rows) -> None:
    """Of a bundle whose manifest tells no base, answers have neither base nor others, written fast or not."""
    heads = tuple(head.model_copy(update={"contributions_base": None}) for head in bundle.manifest.heads)
    older = dataclasses.replace(bundle, manifest=bundle.manifest.model_copy(update={"heads": heads}))
    fast, slow = both(make_rows(20), older)
    assert fast == slow
    assert {frozenset(score["signals"]) for score in orjson.loads(fast)} == {
        frozenset({"method", "raising", "lowering"})
    }


def test_what_is_remembered_is_bounded(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of sentences begins anew when it is full, and says the same."""
    monkeypatch.setattr(written, "REMEMBERED", 10)
    table = WrittenSayings(scoring_tables(bundle).signals.sayings[0], b",")
    said = [table[float(number)] for number in range(25)]
    assert len(table) <= 10
    assert [table[float(number)] for number in range(25)] == said


def test_nobody_known_is_an_empty_answer(make_rows: Rows) -> None:
    """Where the store holds nothing of any account, all are named as unknown."""
    rows = dataclasses.replace(make_rows(3), known=np.zeros(3, dtype=np.bool_))
    answer = nothing_written(Asked.of(rows))
    assert (answer.scores, list(answer.unknown)) == (b"", list(rows.account_ids))


def test_a_naive_time_and_missing_reasons_are_refused(bundle: Bundle, make_rows: Rows) -> None:
    """Without a time zone ages would be off; without contributions there is nothing to write as reasons."""
    asked = Asked.of(make_rows(2))
    outputs = bundle.run_explained(asked.matrix)
    with pytest.raises(ValueError, match="no time zone"):
        write(asked, outputs, bundle, dt.datetime(2026, 3, 1))  # noqa: DTZ001 -- that is the point
    with pytest.raises(ValueError, match="reasons"):
        write(asked, bundle.run(asked.matrix, contributions=False), bundle, NOW)
    wrong = dataclasses.replace(
        outputs, probabilities={head: values + 1.0 for head, values in outputs.probabilities.items()}
    )
    with pytest.raises(ValueError, match="not all probabilities"):
        write(asked, wrong, bundle, NOW)
