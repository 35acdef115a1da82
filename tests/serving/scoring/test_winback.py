"""What is said of accounts that have left: of them alone, in every answer alike, and of nobody by an older bundle."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest

from serving.batch.feature_table import feature_rows
from serving.bundle.loader import Bundle, load_bundle
from serving.bundle.store import find_bundle
from serving.scoring.engine import Asked, any_left, score_rows
from serving.scoring.exact import score_exactly
from serving.scoring.result import AccountScore
from serving.scoring.written import write
from tests.serving.scoring.one_row import one_of
from tests.serving.world import NOW, account_ids, departed, make_bundle, make_contract, make_features

if TYPE_CHECKING:
    from serving.features.rows import FeatureRows

GONE = {"acme-0000": 30.0, "acme-0001": 45.0, "acme-0002": 365.0, "acme-0003": 29.0, "acme-0004": 366.0}
LEFT = {"acme-0000", "acme-0001", "acme-0002"}
"""Those within the range; the other two left too lately or too long ago."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a bundle with a win-back head."""
    folder = tmp_path_factory.mktemp("models")
    return load_bundle(find_bundle(make_bundle(folder, make_contract(), outlook=True), folder))


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a bundle without one."""
    folder = tmp_path_factory.mktemp("older")
    return load_bundle(find_bundle(make_bundle(folder, make_contract()), folder))


@pytest.fixture(scope="module")
def before_intervals(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return the bundle with the head as an earlier release made it, without its interval."""
    folder = tmp_path_factory.mktemp("before")
    tag = make_bundle(folder, make_contract(), outlook=True, winback_interval=False)
    return load_bundle(find_bundle(tag, folder))


@pytest.fixture(scope="module")
def rows(bundle: Bundle) -> FeatureRows:
    """Return forty accounts of which five are gone, three within the range."""
    return feature_rows(departed(make_features(make_contract()), GONE), bundle.manifest)


def scores(rows: FeatureRows, bundle: Bundle, **options: bool) -> dict[str, AccountScore]:
    """Return the scores by account."""
    found = score_rows(rows, bundle, NOW, **options)
    return {one.account_id: one for one in found if isinstance(one, AccountScore)}


def test_it_speaks_of_accounts_that_have_left_alone(rows: FeatureRows, bundle: Bundle) -> None:
    """From 30 to 365 days after the end there is a chance by horizon; before, after and for others there is null."""
    found = scores(rows, bundle)
    assert {account for account, score in found.items() if score.winback is not None} == LEFT
    for account, score in found.items():
        shown = score.to_dict()["winback"]
        if account not in LEFT:
            assert shown is None
            assert score.winback_probability == {}
            continue
        chances = list(shown["probability"].values())
        assert list(shown["probability"]) == ["30d", "60d", "90d"]
        assert 0 <= chances[0] <= chances[1] <= chances[2] <= 1
        assert shown["mrr_at_end"] == 1_250.0
        assert shown["evidence"]["days_since_end"] == GONE[account]
        assert shown["evidence"]["times_left"] == 1
        assert shown["evidence"]["ended_unpaid"] is False


def test_its_chances_are_the_graphs(rows: FeatureRows, bundle: Bundle) -> None:
    """What is shown is what the graph gives for the row, to six decimals."""
    given = bundle.run(rows.matrix, contributions=False, departed=True).winback
    assert given is not None
    for place, account in enumerate(rows.account_ids):
        if account in LEFT:
            told = scores(rows, bundle)[account].winback_probability
            assert list(told.values()) == np.round(given[place], 6).tolist()


def test_its_ends_are_the_graphs_and_come_if_asked_for(rows: FeatureRows, bundle: Bundle) -> None:
    """With `intervals` they stand beside the chance, to six decimals, and enclose it; without, nothing of them does."""
    given = bundle.run(rows.matrix, contributions=False, intervals=True, departed=True)
    assert given.winback_low is not None
    assert given.winback_high is not None
    with_them, without = scores(rows, bundle, intervals=True), scores(rows, bundle)
    for place, account in enumerate(rows.account_ids):
        told, bare = with_them[account].winback, without[account].winback
        if account not in LEFT:
            assert told is None
            assert with_them[account].churn_interval is not None
            continue
        assert told is not None
        assert bare is not None
        assert told.interval is not None
        assert told == bare._replace(interval=told.interval)
        ends = np.round(np.stack([given.winback_low[place], given.winback_high[place]], axis=1), 6)
        assert list(told.interval.values()) == ends.tolist()
        for horizon, (low, high) in told.interval.items():
            assert 0 <= low <= told.probability[horizon] <= high <= 1
        assert list(with_them[account].to_dict()["winback"])[:2] == ["probability", "interval_90"]
        assert "interval_90" not in without[account].to_dict()["winback"]


def test_ends_are_asked_of_the_graph_only_where_somebody_left(rows: FeatureRows, bundle: Bundle) -> None:
    """Of accounts with a subscription the graph gives neither chance nor ends, though intervals are asked for."""
    found = bundle.run(rows.matrix, contributions=False, intervals=True)
    assert (found.winback, found.winback_low, found.winback_high) == (None, None, None)
    assert found.low is not None
    empty = bundle.run(rows.matrix[:0], contributions=False, intervals=True, departed=True)
    assert empty.winback_low is not None
    assert empty.winback_low.shape == (0, 3)


def test_a_bundle_of_before_has_the_chance_without_an_interval(
    rows: FeatureRows, bundle: Bundle, before_intervals: Bundle
) -> None:
    """It loads and serves the same chances; other heads keep their intervals."""
    assert before_intervals.manifest.winback is not None
    assert before_intervals.manifest.winback.head.low_output is None
    before_intervals.warm_up()
    ours, theirs = (scores(rows, one, intervals=True) for one in (bundle, before_intervals))
    for account in LEFT:
        now, then = ours[account].winback, theirs[account].winback
        assert now is not None
        assert then == now._replace(interval=None)
        assert theirs[account].churn_interval == ours[account].churn_interval
        assert "interval_90" not in theirs[account].to_dict()["winback"]


@pytest.mark.parametrize("options", [{}, {"signals": False}, {"intervals": True, "outlook": True}])
def test_an_account_does_not_depend_on_those_beside_it(
    rows: FeatureRows, bundle: Bundle, options: dict[str, bool]
) -> None:
    """Alone or among others, asked for much or little, an account gets the same, whether or not it has left."""
    together = scores(rows, bundle, **options)
    for place, account in enumerate(rows.account_ids):
        alone = scores(one_of(rows, place), bundle, **options)[account]
        assert alone.winback == together[account].winback
        assert alone.churn_probability == together[account].churn_probability


def test_the_evidence_is_of_having_left(rows: FeatureRows, bundle: Bundle) -> None:
    """What doubts models of accounts with a subscription does not make it thin; a stale view makes it stale."""
    found = scores(rows, bundle)["acme-0001"]
    assert found.evidence.status == "thin"
    assert set(found.evidence.reasons) <= {"failed_check", "unlike_training"}
    assert found.to_dict()["winback"]["evidence"]["status"] == "full"
    later = NOW.replace(year=NOW.year + 1)
    stale = next(one for one in score_rows(rows, bundle, later) if one.account_id == "acme-0001")
    assert isinstance(stale, AccountScore)
    shown = stale.to_dict()["winback"]["evidence"]
    assert (shown["status"], shown["reasons"]) == ("stale", ["stale_view"])


def test_many_scores_are_written_as_single_ones_are(rows: FeatureRows, bundle: Bundle) -> None:
    """Byte by byte, accounts that have left and others alike."""
    asked = Asked.of(rows)
    outputs = bundle.run(asked.matrix, contributions=True, departed=any_left(bundle, asked.matrix))
    written = write(asked, outputs, bundle, NOW)
    one_by_one = [score.to_json_value() for score in scores(rows, bundle).values()]
    assert b"[" + written.scores + b"]" == orjson.dumps(one_by_one)
    assert written.scores.count(b'"winback":{') == len(LEFT)


def test_exact_reasons_come_with_it(rows: FeatureRows, bundle: Bundle) -> None:
    """`explain=exact` says the same of accounts that have left."""
    for intervals in (False, True):
        usual = scores(rows, bundle, intervals=intervals)
        for one in score_exactly(rows, bundle, NOW, intervals=intervals):
            assert isinstance(one, AccountScore)
            assert one.winback == usual[one.account_id].winback


def test_the_graph_is_asked_only_where_somebody_left(rows: FeatureRows, bundle: Bundle) -> None:
    """Among accounts that all have a subscription the branch is not walked."""
    assert any_left(bundle, rows.matrix)
    for place, account in enumerate(rows.account_ids):
        assert any_left(bundle, rows.matrix[place : place + 1]) == (account in LEFT)
    staying = [place for place, account in enumerate(rows.account_ids) if account not in LEFT]
    assert not any_left(bundle, rows.matrix[staying])
    assert len(staying) == len(account_ids()) - len(LEFT)


def test_an_older_bundle_says_nothing(rows: FeatureRows, older: Bundle) -> None:
    """Without the head every account gets null, in objects as in bytes."""
    assert not any_left(older, rows.matrix)
    found = scores(rows, older)
    assert all(score.to_dict()["winback"] is None for score in found.values())
    asked = Asked.of(rows)
    written = write(asked, older.run_explained(asked.matrix), older, NOW)
    assert written.scores.count(b'"winback":null') == len(found)


def test_what_is_not_known_of_the_end_is_null(rows: FeatureRows, bundle: Bundle) -> None:
    """MRR, reason and count that nobody told are null, and the chance is told still."""
    names = [feature.name for feature in bundle.manifest.contract.model_features]
    place = rows.account_ids.index("acme-0001")
    row = dataclasses.replace(one_of(rows, place), matrix=rows.matrix[place : place + 1].copy())
    for name in ("mrr_at_end", "ended_unpaid", "times_left"):
        row.matrix[:, names.index(name)] = np.nan
    told = scores(row, bundle)["acme-0001"].to_dict()["winback"]
    assert told["mrr_at_end"] is None
    assert told["evidence"]["ended_unpaid"] is None
    assert told["evidence"]["times_left"] is None
    assert len(told["probability"]) == 3
