"""The ladder on a real ledger: one level at a time, after its weeks, on record; down at once."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.actions.tables import OUTBOX
from serving.autonomy.figures import together
from serving.autonomy.ladder import (
    NotDemoted,
    NotPromoted,
    Rung,
    demote,
    demote_by_figures,
    promote,
    read_ladder,
)
from serving.decisions.autonomy import LEVELS, Level, effective_level, next_level
from serving.errors import LedgerError
from serving.ledger.autonomy import LevelsChanged, changes, record_change, standing_of, standings
from serving.ledger.database import Database
from serving.ledger.schema import migrate
from serving.ledger.tables import AUTONOMY_LEVELS
from serving.ledger.transaction import Transaction
from serving.ledger.verify import verify
from tests.serving.autonomy.weeks import KEY, ONE_HOUR, World, longer_calls, policy_of

if TYPE_CHECKING:
    from serving.ledger.autonomy import Change

DAY = dt.timedelta(days=1)


def rise(world: World, by: str = "ann", at: dt.datetime | None = None) -> Change:
    """Promote the action now, or as of another time."""
    return promote(world.database, world.document, KEY, by=by, now=at or world.now)


def fall(world: World, to: Level, by: str = "ann") -> Change:
    """Demote the action now."""
    return demote(world.database, world.document, KEY, to, by=by, reason="complaints", now=world.now)


def rung_of(world: World) -> Rung:
    """Return where the action stands now."""
    return read_ladder(world.database, world.document, [KEY], world.now)[KEY]


def lacks(world: World) -> list[str]:
    """Return which figures keep the action from rising now, each once."""
    return list(dict.fromkeys(one.figure for one in rung_of(world).missing))


def test_an_action_climbs_from_shadow_to_unattended(world: World) -> None:
    """Each level takes its weeks anew, each change is on record, and decisions follow at once."""
    world.decide("first")
    for level, above in (("shadow", "suggest"), ("suggest", "one_click"), ("one_click", "unattended")):
        world.live(7)
        assert lacks(world) == ["weeks"]
        with pytest.raises(NotPromoted, match="1 whole weeks of 2"):
            rise(world)
        world.live(7.01)
        change = rise(world)
        assert (change.before, change.after) == (level, above)
        (decision,) = world.decide("after")
        assert decision.to_dict()["action"]["autonomy"] == above
    assert lacks(world) == ["level"]
    with world.database.reading() as connection:
        entries = changes(Transaction(connection))
    assert [entry.content["to"] for entry in entries] == ["suggest", "one_click", "unattended"]
    for entry in entries:
        assert entry.content["by"] == "ann"
        assert entry.content["policy"] == world.document.hash
        assert [week["accounts"] for week in entry.content["figures"]["weeks"]] == [5, 5]
        assert entry.content["figures"]["together"]["ratios"]["validity"]["ratio"] == 1.0
    assert verify(world.database).broken is None


def test_what_would_have_been_proposed_is_judged_in_shadow(world: World) -> None:
    """Refusals of the ladder are drafted again; an account of which a fact is missing makes them invalid."""
    world.decide("first")
    for decision in world.live(7):
        assert decision.winner is None
        assert (KEY, "in_shadow") in [(one.action, one.rule) for one in decision.refused]
    figures = together(rung_of(world).weeks)
    assert (figures.proposed, figures.accounts, figures.checked, figures.valid) == (5, 5, 5, 5)


@pytest.mark.parametrize("start", ["shadow", "suggest"])
def test_a_proposal_that_can_not_be_written_out_is_invalid(world: World, start: Level) -> None:
    """The share of valid proposals falls, and the action stays; in shadow too."""
    world.document = policy_of(start=start, without=("an_hour_to_call", "quiet_hours"))
    world.features = ONE_HOUR
    world.decide("first")
    world.live(7.01)
    world.catalogue = longer_calls()
    world.live(7)
    assert [(one.figure, one.week) for one in rung_of(world).missing] == [("validity", 2)]
    whole = together(rung_of(world).weeks)
    assert (whole.checked, whole.valid) == (10, 6)


def test_effects_that_were_given_up_make_an_action_invalid(world: World) -> None:
    """A receipt whose effect lies dead in the outbox counts against validity."""
    world.document = policy_of(start="one_click")
    world.decide("first")
    receipts = [world.applied(one) for one in world.live(7)]
    row = {
        "event_id": "e", "target": "crm", "account_id": b"a", "receipt_id": receipts[0], "type": "t", "body": b"",
        "state": "dead", "created_us": 0, "due_us": 0, "retry_us": 0, "attempts": 8,
    }  # fmt: skip
    with world.database.writing() as connection:
        connection.execute(OUTBOX.insert().values(**row))
    world.live(7.01)
    assert together(rung_of(world).weeks).validity.events == 5 + 5 + 4 - 1
    assert [(one.figure, one.week) for one in rung_of(world).missing] == [("validity", 1)]


def test_reversals_complaints_and_rejections_hold_an_action_back(world: World) -> None:
    """Late ones too: they count in the week of their decision; a rollback and a report of it count once."""
    world.document = policy_of(start="one_click")
    world.decide("first")
    made = world.live(7)
    world.live(7.01)
    assert lacks(world) == []
    for decision in made[:3]:
        world.happens(decision, "shown")
    world.applied(made[0], undone=True)
    world.happens(made[0], "reversed")
    world.applied(made[1])
    world.happens(made[1], "complained")
    world.happens(made[2], "rejected")
    world.happens(made[3], "reversed")
    rung = rung_of(world)
    assert [(one.figure, one.week) for one in rung.missing] == [("reversal", 1), ("complaint", 1)]
    first = rung.weeks[0].figures
    assert (first.shown, first.complained, first.rejected) == (3, 1, 1)
    assert sorted(one.undone for one in rung.history.applications) == [False, True, True]


def test_a_demotion_is_immediate_and_begins_the_weeks_anew(world: World) -> None:
    """To any lower level, with a reason and no figures; up again only by the weeks."""
    world.document = policy_of(start="one_click")
    world.decide("first")
    world.live(14.01)
    with pytest.raises(NotDemoted):
        fall(world, "one_click")
    assert fall(world, "shadow").reason == "complaints"
    assert (KEY, "in_shadow") in [(one.action, one.rule) for one in world.decide("after")[0].refused]
    assert lacks(world) == ["weeks"]
    world.live(14.01)
    assert rise(world).after == "suggest"
    with pytest.raises(NotDemoted, match="name a level below"):
        fall(world, "one_click")


def test_broken_limits_lower_an_action_by_one_level(world: World) -> None:
    """The figures of a whole week are enough, and are on record; nothing else falls."""
    world.document = policy_of(start="one_click")
    world.decide("first")
    made = world.live(7.01)
    assert rung_of(world).broken == ()
    with pytest.raises(NotDemoted):
        demote_by_figures(world.database, world.document, rung_of(world), world.now)
    world.happens(made[0], "complained")
    rung = rung_of(world)
    assert [one.figure for one in rung.broken] == ["complaint"]
    change = demote_by_figures(world.database, world.document, rung, world.now)
    assert (change.before, change.after, change.by) == ("one_click", "suggest", "keepgrow:ladder")
    assert change.figures["weeks"][0]["complained"] == 1
    assert rung_of(world).broken == ()
    with pytest.raises(LevelsChanged):
        demote_by_figures(world.database, world.document, rung, world.now)


def test_a_ceiling_stops_a_promotion_and_breaks_the_time(world: World) -> None:
    """A level above the ceiling is not reached; time under a lower ceiling is no time at the level."""
    world.document = policy_of(start="suggest", actions={KEY: {"ceiling": "suggest"}})
    world.decide("first")
    world.live(14.01)
    assert lacks(world) == ["ceiling"]
    world.document = policy_of(start="suggest", actions={KEY: {"ceiling": "shadow", "start": "shadow"}})
    world.live(1)
    world.document = policy_of(start="suggest")
    world.live(7)
    assert lacks(world) == ["weeks"]
    world.live(7.01)
    assert lacks(world) == []


def test_a_policy_that_moves_the_start_makes_up_no_weeks(world: World) -> None:
    """Weeks in shadow are none at `one_click`."""
    world.decide("first")
    world.live(30)
    world.document = policy_of(start="one_click")
    world.live(1)
    assert lacks(world) == ["weeks"]
    with pytest.raises(NotPromoted):
        rise(world)


@pytest.mark.parametrize("days", [-30, 1, 400])
def test_a_time_that_is_made_up_makes_up_no_weeks(world: World, days: int) -> None:
    """What counts ends with the newest decision, and a change is not dated before it."""
    world.decide("first")
    world.live(7)
    with pytest.raises(NotPromoted):
        rise(world, at=world.now + days * DAY)
    world.live(7.01)
    if days > 0:
        rise(world, at=world.now + days * DAY)
    else:
        with pytest.raises(NotPromoted):
            rise(world, at=world.now + days * DAY)
        rise(world)
    with pytest.raises(NotPromoted):
        rise(world, at=world.now + 400 * DAY)


def test_a_change_is_not_dated_before_the_newest_decision(world: World) -> None:
    """Nor does a demotion that is: time at the new level begins when the ledger has seen it."""
    world.decide("first")
    world.live(14.01)
    rise(world, at=world.now - dt.timedelta(minutes=5))
    recorded = rung_of(world).recorded
    assert recorded is not None
    assert recorded.since == world.now
    demote(world.database, world.document, KEY, "shadow", by="ann", reason="x", now=world.now - 30 * DAY)
    recorded = rung_of(world).recorded
    assert recorded is not None
    assert recorded.since > world.now


@pytest.mark.parametrize("by", ["", "  ", "keepgrow:trigger:renewal", "Keepgrow:x"])
def test_only_a_person_moves_an_action(world: World, by: str) -> None:
    """Neither nobody nor a part of the product."""
    world.decide("first")
    world.live(14.01)
    with pytest.raises(LedgerError, match="no person"):
        rise(world, by=by)
    rise(world)
    with pytest.raises(LedgerError, match="no person"):
        fall(world, "shadow", by=by)


def test_two_promotions_at_once_are_one(world: World) -> None:
    """Who comes second finds the level changed; the figures were of another one."""
    world.decide("first")
    world.live(14.01)
    before = rung_of(world).recorded
    change = rise(world)
    with pytest.raises(LevelsChanged), world.database.writing() as connection:
        record_change(Transaction(connection), change, expected=before, at=world.now)
    with world.database.reading() as connection:
        assert len(changes(Transaction(connection))) == 1


@pytest.mark.parametrize("forged", ["unattended", None])
def test_a_level_that_no_entry_says_is_found(world: World, forged: str | None) -> None:
    """Who writes to the table past the ledger can't promote from there."""
    world.decide("first")
    world.live(14.01)
    rise(world)
    statement = AUTONOMY_LEVELS.delete() if forged is None else AUTONOMY_LEVELS.update().values(level=forged)
    with world.database.writing() as connection:
        connection.execute(statement)
    with world.database.reading() as connection, pytest.raises(LedgerError, match="table of levels"):
        standings(Transaction(connection))
    with pytest.raises(LedgerError, match="table of levels"):
        rise(world)


def test_a_level_of_another_version_is_the_lowest(world: World) -> None:
    """What this version does not know it does not trust."""
    with world.database.writing() as connection:
        connection.execute(AUTONOMY_LEVELS.insert().values(action=KEY, level="autopilot", since_us=0))
        standing = standing_of(Transaction(connection), KEY)
    assert standing is not None
    assert standing.level == "shadow"


def test_without_decisions_nothing_rises(world: World) -> None:
    """An empty ledger has no weeks."""
    assert lacks(world) == ["weeks"]


def test_weeks_are_read_alike_from_each_database(ledger_url: str) -> None:
    """SQLite and PostgreSQL give the same figures and take the same changes."""
    database = Database(ledger_url)
    migrate(database)
    world = World(database, policy_of(start="suggest"))
    world.decide("first")
    made = world.live(7)
    world.happens(made[0], "shown")
    world.applied(made[0])
    world.live(7.01)
    assert rung_of(world).weeks[0].figures.to_dict() == {
        "proposed": 5, "accounts": 5, "shown": 1, "rejected": 0, "complained": 0,
        "applied": 1, "reversed": 0, "checked": 6, "valid": 6,
    }  # fmt: skip
    assert rise(world).after == "one_click"
    with database.reading() as connection:
        assert len(changes(Transaction(connection))) == 1
    database.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("live"), st.sampled_from([1.0, 3.5, 7.0, 14.5])),
        st.tuples(st.just("promote"), st.sampled_from([0, 0, 0, -20, 20])),
        st.tuples(st.just("demote"), st.sampled_from(["shadow", "suggest", "one_click"])),
        st.tuples(st.just("start"), st.sampled_from(["shadow", "suggest", "one_click"])),
        st.tuples(st.just("ceiling"), st.sampled_from(LEVELS)),
    ),
    max_size=14,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_way_leads_past_a_level_or_its_weeks(empty_ledger: Path, steps: list[tuple[str, Any]]) -> None:
    """Whatever is done in whatever order, a promotion is by one level, after two weeks at the one below."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        shutil.copy(empty_ledger, path)
        database = Database(f"sqlite:///{path}", sync="normal")
        autonomy: dict[str, Any] = {
            "start": "shadow",
            "actions": {},
            "rule": {"weeks": 2, "accounts_min": 1, "applied_min": 0, "shown_min": 0},
        }
        world = World(database, policy_of(**autonomy))
        level, since = _level(world), world.now
        for step, value in [("live", 1.0), *steps, ("live", 14.5), ("promote", 0), ("promote", 0)]:
            if step == "live":
                if _level(world) != level:
                    level, since = _level(world), world.now
                world.live(value, accounts_a_week=2)
                continue
            if step == "promote":
                before = _level(world)
                try:
                    change = rise(world, at=world.now + value * DAY)
                except NotPromoted:
                    continue
                assert (change.before, change.after) == (before, next_level(before))
                assert before == level
                assert world.now - since >= 14 * DAY
                level, since = change.after, world.now
            elif step == "demote":
                try:
                    fall(world, value)
                except NotDemoted:
                    continue
                level, since = _level(world), world.now
            else:
                if step == "start":
                    autonomy["start"], autonomy["actions"] = value, {}
                else:
                    autonomy["actions"] = {KEY: {"ceiling": value}}
                world.document = policy_of(**autonomy)
        database.close()


def _level(world: World) -> Level:
    with world.database.reading() as connection:
        recorded = {key: one.level for key, one in standings(Transaction(connection)).items()}
    return effective_level(world.document.autonomy, recorded, KEY)
