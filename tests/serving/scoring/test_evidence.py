"""Evidence is stale, thin or full by the age of every view and of the account."""

from __future__ import annotations

import math

import numpy as np
import orjson
import pytest

from feature_repo.contract import ContractView
from serving.scoring.evidence import EvidenceScale, weigh_evidence
from serving.scoring.null_views import ExpectedViews
from tests.training.export.small_models import make_contract

VIEWS = (ContractView(name="usage", limit_seconds=100), ContractView(name="profile", limit_seconds=1000))
NOW = 1_772_323_200.0


@pytest.mark.parametrize(
    ("ages", "account_age", "status"),
    [
        ((0, 0), 400.0, "full"),
        ((100, 1000), 400.0, "full"),
        ((101, 0), 400.0, "stale"),
        ((0, 1001), 400.0, "stale"),
        ((0, math.nan), 400.0, "thin"),
        ((101, math.nan), 400.0, "stale"),
        ((0, 0), 27.0, "thin"),
        ((0, 0), 28.0, "full"),
        ((0, 0), math.nan, "thin"),
        ((0, 0), None, "full"),
        ((101, 0), 3.0, "stale"),
        ((math.nan, math.nan), 400.0, "thin"),
    ],
)
def test_the_status_is_the_worst_that_holds(
    ages: tuple[float, float], account_age: float | None, status: str
) -> None:
    """An age at the limit is fresh, one more second stale; missing views, new and ageless accounts are thin."""
    found = weigh_evidence(VIEWS, [NOW - age for age in ages], NOW, account_age_days=account_age)
    assert found.status == status


def test_ages_and_missing_views_are_shown() -> None:
    """Each view has its time, age and limit; one without a row is listed as missing."""
    shown = weigh_evidence(VIEWS, [NOW - 60.5, math.nan], NOW, null_views=("profile",)).to_dict()
    assert shown == {
        "status": "thin",
        "reasons": ["missing_view"],
        "views": {
            "usage": {"as_of": "2026-02-28T23:58:59Z", "age_seconds": 60, "limit_seconds": 100},
            "profile": {"as_of": None, "age_seconds": None, "limit_seconds": 1000},
        },
        "missing": ["profile"],
        "failed_checks": [],
    }


def test_a_clock_that_is_not_the_machines_is_named() -> None:
    """A demonstration's time can be told from real time."""
    assert weigh_evidence(VIEWS, [NOW, NOW], NOW, clock="demonstration").to_dict()["clock"] == "demonstration"
    assert "clock" not in weigh_evidence(VIEWS, [NOW, NOW], NOW).to_dict()


def test_what_is_remembered_is_what_would_be_weighed_anew() -> None:
    """At every tenth of a second around ages, limits and futures, remembered evidence equals fresh evidence."""
    scale = EvidenceScale(VIEWS)
    rows = [
        [NOW, NOW], [NOW - 0.25, NOW - 3], [NOW - 99.5, NOW - 999.7], [NOW + 1.5, NOW], [math.nan, NOW - 98],
    ]  # fmt: skip
    for tenth in range(60):
        now = NOW + tenth / 10
        for as_of in rows:
            for age, clock in ((400.0, None), (3.0, None), (math.nan, "demonstration")):
                for unlike in (False, True):
                    told = {"account_age_days": age, "unlike": unlike, "clock": clock}
                    fresh = weigh_evidence(VIEWS, as_of, now, **told)
                    found = scale.weigh(as_of, now, **told)
                    assert found.to_dict() == fresh.to_dict()
                    assert orjson.loads(orjson.dumps(found.fragment)) == fresh.to_dict()


def test_many_accounts_get_the_evidence_that_each_gets_alone() -> None:
    """Accounts are weighed together by their own times and ages, equal ones and odd ones alike."""
    as_of = np.array([[NOW, NOW], [NOW, NOW], [NOW - 200, NOW], [math.nan, NOW], [NOW, NOW], [math.nan, NOW]])
    ages = np.array([400.0, 3.0, 400.0, 400.0, math.nan, 3.0])
    found = EvidenceScale(VIEWS).weigh_all(as_of, NOW, account_age_days=ages, clock="demonstration")
    alone = [
        weigh_evidence(VIEWS, times.tolist(), NOW, account_age_days=float(age), clock="demonstration")
        for times, age in zip(as_of, ages, strict=True)
    ]
    assert [one.to_dict() for one in found] == [one.to_dict() for one in alone]
    assert [one.status for one in found] == ["full", "thin", "stale", "thin", "thin", "thin"]
    unread = EvidenceScale(VIEWS).weigh_all(as_of, NOW, account_age_days=None, clock=None)
    assert [one.status for one in unread] == ["full", "full", "stale", "thin", "full", "thin"]


def test_an_account_unlike_those_of_training_is_thin_and_says_so() -> None:
    """Being unlike makes full evidence thin, and is named beside whatever else is wrong."""
    as_of = np.array([[NOW, NOW], [NOW, NOW], [NOW - 200, NOW], [math.nan, NOW], [NOW, NOW], [NOW, NOW]])
    ages = np.array([400.0, 400.0, 400.0, 400.0, 3.0, 400.0])
    unlike = np.array([False, True, True, True, True, False])
    found = EvidenceScale(VIEWS).weigh_all(as_of, NOW, account_age_days=ages, unlike=unlike, clock=None)
    assert [(one.status, one.reasons) for one in found] == [
        ("full", ()),
        ("thin", ("unlike_training",)),
        ("stale", ("stale_view", "unlike_training")),
        ("thin", ("missing_view", "unlike_training")),
        ("thin", ("new_account", "unlike_training")),
        ("full", ()),
    ]
    together = EvidenceScale(VIEWS).weigh_all(
        as_of[[0, 0, 0]], NOW, account_age_days=ages[[0, 4, 0]], unlike=unlike[[0, 1, 1]], clock=None
    )
    assert [one.reasons for one in together] == [
        (), ("new_account", "unlike_training"), ("unlike_training",),
    ]  # fmt: skip


def test_an_account_of_unknown_age_says_so() -> None:
    """An age that should be known and is not is a reason of its own, and not that of a new account."""
    assert weigh_evidence(VIEWS, [NOW, NOW], NOW, account_age_days=math.nan).reasons == ("unknown_age",)
    assert weigh_evidence(VIEWS, [NOW, NOW], NOW, account_age_days=3.0).reasons == ("new_account",)
    assert weigh_evidence(VIEWS, [NOW, NOW], NOW).reasons == ()


def test_views_that_are_null_throughout_are_missing_where_training_knew_them() -> None:
    """One account or several, of equal and of different times: null views are listed where they are expected."""
    contract = make_contract()
    shares = {"usage": 0.0, "commercial": 0.05, "profile": 1.0}
    scale = EvidenceScale(contract.views, ExpectedViews.of(contract, shares))
    matrix = np.ones((5, len(contract.model_features)))
    of_view = np.array([feature.view for feature in contract.model_features])
    matrix[1, of_view == "usage"] = np.nan
    matrix[2, of_view == "profile"] = np.nan
    matrix[3] = np.nan
    matrix[4, np.flatnonzero(of_view == "usage")[1:]] = np.nan
    missing = [(), ("usage",), (), ("usage", "commercial"), ()]
    ages = np.full(5, 400.0)
    same = np.full((5, 3), NOW)
    others = same - np.arange(5)[:, None]
    for as_of in (same, others):
        together = scale.weigh_all(as_of, NOW, account_age_days=ages, matrix=matrix, clock=None)
        assert [one.missing for one in together] == missing
        assert [one.status for one in together] == ["full", "thin", "full", "thin", "full"]
        assert [one.reasons for one in together] == [("missing_view",) if some else () for some in missing]
        for row in range(5):
            part = slice(row, row + 1)
            alone = scale.weigh_all(
                as_of[part], NOW, account_age_days=ages[part], matrix=matrix[part], clock=None
            )
            assert [one.to_dict() for one in alone] == [together[row].to_dict()]
