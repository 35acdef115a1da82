"""Caps by cohort: no region or segment gets more of something than its share, and who is in none that is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.decisions.capping import wanted_uses
from serving.decisions.caps import Cap, CapUses, Cohort, cohort_of
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PolicyDocument, load_policy
from tests.serving.decisions.frames import FIELDS, action, catalogue, decide, frame

CATALOGUE = catalogue(action())
GUIDE = CATALOGUE.actions[0]


def cap(**changes: Any) -> Cap:
    """Return a cap of 3 actions a week for each region, with *changes*."""
    return Cap.model_validate({"id": "shares", "per": ["region"], "limit": 3, "window_days": 7, **changes})


def capped(one: Cap) -> Policy:
    """Return the packaged policy with one cap alone."""
    content = load_policy().model_dump(mode="json") | {"caps": [one.model_dump(mode="json")]}
    return Policy(PolicyDocument.model_validate(content), FIELDS)


@pytest.mark.parametrize(("used", "stands"), [(2, True), (3, False)])
def test_a_region_gets_no_more_than_its_cap(used: int, stands: bool) -> None:
    """What is used in the account's own region counts, that of another does not; the refusal is one of budgets."""
    policy = capped(cap())
    decision = decide(frame(caps_used={"shares|europe": used, "shares|asia": 99}), CATALOGUE, policy)
    assert (decision.winner is not None) == stands
    if not stands:
        assert (decision.refused[0].stage, decision.refused[0].rule) == ("budget", "shares")


def test_segments_and_regions_are_counted_apart_and_together() -> None:
    """The key holds what the cap is per, in one order, and nothing else."""
    cohort = Cohort("europe", "smb")
    assert cap(per=["segment"]).key(GUIDE, "a", cohort) == "shares|smb"
    assert cap(per=["account", "segment", "region"]).key(GUIDE, "a", cohort) == "shares|europe|smb|a"
    assert cap(per=["account"]).key(GUIDE, "a") == "shares|a"


def test_accounts_of_which_no_region_is_known_share_one_cap() -> None:
    """Not to be known is a cohort and no way around the cap."""
    blind = frame(features={"region": None}, caps_used={"shares|": 3})
    assert decide(blind, CATALOGUE, capped(cap())).winner is None


def test_a_count_by_cohort_without_the_cohort_is_an_error() -> None:
    """Who forgets to say it would otherwise read a count that nobody keeps."""
    with pytest.raises(ValueError, match="cap 'shares' counts by region, segment"):
        CapUses([cap()]).of(GUIDE, "a", "interactive")
    assert CapUses([cap(per=["account"])]).of(GUIDE, "a", "interactive")[0].key == "shares|a"


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_no_two_cohorts_share_a_key(first: tuple[str, str], second: tuple[str, str]) -> None:
    """Whatever characters a region or a segment holds."""
    one = cap(per=["region", "segment", "account"])
    keys = {one.key(GUIDE, "a", Cohort(*names)) for names in (first, second)}
    assert (len(keys) == 1) == (first == second)


def test_a_decision_reserves_for_the_accounts_own_cohort() -> None:
    """What a candidate uses bears the region of its frame."""
    one = frame(features={"region": "latin america"})
    assert cohort_of(one) == Cohort("latin america", "smb")
    assert [use.key for use in wanted_uses(one, capped(cap()), GUIDE)] == ["shares|latin%20america"]


def test_all_that_a_catalogue_counts_is_what_its_actions_use() -> None:
    """The counters of a whole catalogue are the keys of its actions one by one, in order, each with its cap."""
    actions = (action(key="one"), action(key="two", channel="in_app"), action(key="three"))
    everything = catalogue(*actions).actions
    per = (
        [],
        ["channel"],
        ["action"],
        ["account"],
        ["account", "action"],
        ["region"],
        ["segment", "channel"],
    )
    uses = CapUses([cap(id=f"cap_{number}", per=dimensions) for number, dimensions in enumerate(per)])
    cohort = Cohort("europe", "smb")
    for account_id in ("a", "b|c"):
        wanted = [use for one in everything for use in uses.of(one, account_id, "interactive", cohort)]
        counted = uses.counters(everything, account_id, "interactive", cohort)
        assert list(counted.items()) == list({use.key: use.cap for use in wanted}.items())
