"""Thin evidence: training's rules are serving's, worse answers show as worse, and spoiled rows are recognised."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from serving.scoring.evidence import NEW_ACCOUNT_DAYS, EvidenceScale
from serving.scoring.null_views import ORDINARY_SHARE, ExpectedViews
from serving.scoring.support import Support
from tests.training.export.small_models import make_booster, make_contract, make_matrix
from training.evaluation import thin_evidence
from training.evaluation.thin_evidence import ANY, ThinRules, reasons_report, spoiled_report
from training.support import fit_support, null_view_shares

CONTRACT = make_contract()
NAMES = [feature.name for feature in CONTRACT.model_features]
AGE = NAMES.index("account_age_days")


@pytest.fixture(scope="module")
def rules():
    """Rules of a small model whose training rows had all views."""
    rng = np.random.default_rng(1)
    train = make_matrix(rng, 3_000)
    region = fit_support(train, make_matrix(rng, 3_000), [make_booster(rng)])
    return ThinRules.of(region, CONTRACT, null_view_shares(train, CONTRACT))


def spoiled_rows():
    """Return ordinary rows, some without a view, some new, some of no known age, some far out."""
    rng = np.random.default_rng(2)
    matrix = make_matrix(rng, 600)
    usage = [index for index, feature in enumerate(CONTRACT.model_features) if feature.view == "usage"]
    matrix[np.ix_(np.arange(0, 100), usage)] = np.nan
    matrix[50:150, AGE] = rng.integers(0, 60, 100)
    matrix[150:200, AGE] = np.nan
    matrix[180:260, :8] = 1e12
    return matrix


def test_the_rules_are_those_of_serving(rules):
    """On rows of every kind, each reason is given to exactly the rows that serving gives it to."""
    assert thin_evidence.NEW_ACCOUNT_DAYS == NEW_ACCOUNT_DAYS
    assert thin_evidence.ORDINARY_NULL_SHARE == ORDINARY_SHARE
    matrix = spoiled_rows()
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC).timestamp()
    shares = null_view_shares(make_matrix(np.random.default_rng(1), 3_000), CONTRACT)
    scale = EvidenceScale(CONTRACT.views, ExpectedViews.of(CONTRACT, shares))
    served = scale.weigh_all(
        np.full((len(matrix), len(CONTRACT.views)), now - 60),
        now,
        account_age_days=matrix[:, AGE],
        unlike=Support.from_dict(rules.region.to_dict()).unlike(matrix),
        matrix=matrix,
        clock=None,
    )
    found = rules.reasons(matrix)
    for row, evidence in enumerate(served):
        assert set(evidence.reasons) == {name for name, rows in found.items() if rows[row] and name != ANY}
        assert (evidence.status == "thin") == found[ANY][row]
    assert all(rows.any() for rows in found.values())


def test_worse_answers_of_refused_rows_show(rules):
    """Where rows of thin evidence are answered at random and others rightly, errors and calibration tell both apart."""
    matrix = np.tile(spoiled_rows(), (5, 1))
    rng = np.random.default_rng(3)
    thin = rules.reasons(matrix)[ANY]
    truth = rng.beta(1, 3, len(matrix))
    said = np.where(thin, 1 - truth, truth)
    label = (rng.random(len(matrix)) < truth).astype(float)
    accounts = np.array([f"a{row}" for row in range(len(matrix))], dtype=object)
    found = reasons_report(rules, matrix, said, label, accounts, samples=60, seed=0)
    told = found[ANY]
    assert told["rows"] == thin.sum()
    assert told["error_ratio"]["low"] > 1.5
    assert told["calibration"]["refused"]["expected_calibration_error"]["low"] > 0.2
    assert told["calibration"]["answered"]["expected_calibration_error"]["value"] < 0.05
    assert told["calibration"]["answered"]["observed_to_expected"]["low"] < 1
    assert told["calibration"]["answered"]["observed_to_expected"]["high"] > 1
    assert set(found) == {"unlike_training", "missing_view", "new_account", "unknown_age", ANY}


def test_a_reason_with_few_events_is_counted_and_not_judged(rules):
    """Without events among rows of a reason there is no error to tell, and the report says how many there were."""
    matrix = spoiled_rows()
    label = np.where(rules.reasons(matrix)["new_account"], 0.0, 1.0)
    accounts = np.array([f"a{row}" for row in range(len(matrix))], dtype=object)
    told = reasons_report(rules, matrix, np.full(len(matrix), 0.3), label, accounts, samples=20, seed=0)
    assert told["new_account"]["rows"] > 0
    assert "error_ratio" not in told["new_account"]
    assert told["new_account"]["unmeasured"].startswith("0 of the test rows' events")


def test_what_was_spoiled_is_recognised_and_what_no_rule_is_about_is_told(rules):
    """Emptied views, new accounts and lost ages are all recognised; values far out mostly; scattered gaps are not."""
    found = spoiled_report(rules, make_matrix(np.random.default_rng(5), 2_000), seed=1)
    for way in ("view usage emptied", "view commercial emptied", "account made new", "age lost"):
        assert found[way]["recognised"] == 1.0
    assert found["3 values moved far out"]["recognised"] > 0.9
    assert found["half of all values lost"]["recognised"] < 0.6
    assert all(one["recognised_by_any"] >= one["recognised"] for one in found.values())
    assert all(0 < one["rows"] <= 1_000 for one in found.values())


def test_a_view_that_training_never_had_is_not_expected(rules):
    """A view that was null in most training rows makes no row thin."""
    fewer = ThinRules.of(rules.region, CONTRACT, {"usage": 0.9, "commercial": 0.0, "profile": 0.0})
    assert set(fewer.views) == {"commercial", "profile"}
