"""The rule: what keeps an action where it is, and what makes it fall."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.autonomy.figures import WEEK, Figures, Week
from serving.autonomy.promotion import broken, missing
from serving.decisions.autonomy import LEVELS, Level, PromotionRule

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
RULE = PromotionRule(weeks=3, accounts_min=10, shown_min=60, applied_min=30)
GOOD = Figures(
    proposed=50, accounts=20, shown=40, rejected=5, complained=0, applied=20, reversed=1, checked=70, valid=69
)


def weeks(*figures: Figures) -> list[Week]:
    """Return weeks with these figures."""
    return [Week(START + number * WEEK, one) for number, one in enumerate(figures)]


def lacking(
    level: Level, *figures: Figures, ceiling: Level = "unattended", rule: PromotionRule = RULE
) -> list[str]:
    """Return which figures keep an action from rising."""
    return [one.figure for one in missing(rule, level, ceiling, len(figures), weeks(*figures))]


@pytest.mark.parametrize("level", ["shadow", "suggest", "one_click"])
def test_good_weeks_are_enough(level: Level) -> None:
    """Three weeks within every limit let an action rise from each level."""
    assert lacking(level, GOOD, GOOD, GOOD) == []


def test_from_the_top_nothing_rises() -> None:
    """The last level is the last."""
    assert lacking("unattended", GOOD, GOOD, GOOD) == ["level"]


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        ({"accounts": 9}, "accounts"),
        ({"valid": 68}, "validity"),
        ({"reversed": 2}, "reversal"),
        ({"complained": 1}, "complaint"),
        ({"rejected": 21}, "rejection"),
    ],
)
@pytest.mark.parametrize("bad", [0, 1, 2])
def test_one_bad_week_is_enough_to_stay(change: dict[str, int], figure: str, bad: int) -> None:
    """Whichever week it is, it is named with its figure."""
    figures = [GOOD, GOOD, GOOD]
    figures[bad] = replace(GOOD, **change)
    found = missing(RULE, "one_click", "unattended", 3, weeks(*figures))
    assert [(one.figure, one.week) for one in found] == [(figure, bad + 1)]
    assert f"week {bad + 1}" in found[0].text


def test_too_few_weeks_shown_or_applied_are_told() -> None:
    """Each thing that is missing is told, not only the first."""
    few = replace(GOOD, shown=10, rejected=0, applied=5, reversed=0)
    assert lacking("suggest", few, few) == ["weeks", "applied", "shown"]


def test_in_shadow_only_the_form_is_judged() -> None:
    """What nobody sees can't be complained of, reversed or applied."""
    unseen = Figures(proposed=50, accounts=20, checked=50, valid=50)
    assert lacking("shadow", unseen, unseen, unseen) == []
    assert lacking("shadow", unseen, replace(unseen, valid=40), unseen) == ["validity"]
    assert lacking("suggest", unseen, unseen, unseen) == ["applied", "shown"]


def test_a_ceiling_is_told_however_good_the_figures() -> None:
    """The policy may keep an action where it is."""
    assert lacking("suggest", GOOD, GOOD, GOOD, ceiling="suggest") == ["ceiling"]
    assert lacking("suggest", GOOD, GOOD, GOOD, ceiling="one_click") == []


def test_a_policy_may_ask_for_sure_figures() -> None:
    """With `intervals` 3 of 60 are not surely at most 5 %; 3 of 600 are."""
    sure = RULE.model_copy(update={"intervals": True, "complaint_ratio_max": 0.05, "validity_min": 0.9})
    assert lacking("one_click", GOOD, GOOD, GOOD, rule=sure) == ["reversal"]
    many = replace(GOOD, applied=200)
    assert lacking("one_click", many, many, many, rule=sure) == []


def test_a_broken_limit_is_what_an_action_falls_by() -> None:
    """Too little evidence is no reason to fall, a bad share is."""
    bad = replace(GOOD, reversed=4)
    assert [(one.figure, one.week) for one in broken(RULE, "one_click", weeks(GOOD, bad))] == [
        ("reversal", 2)
    ]
    assert broken(RULE, "one_click", weeks(Figures())) == []
    assert broken(RULE, "shadow", weeks(bad)) == []


COUNT = st.integers(0, 60)


@st.composite
def figures(draw: st.DrawFn) -> Figures:
    """Return any figures that can be."""
    shown, applied, checked = draw(COUNT), draw(COUNT), draw(COUNT)

    def below(most: int) -> int:
        return draw(st.integers(0, most))

    return Figures(
        proposed=checked, accounts=below(checked), shown=shown, rejected=below(shown), complained=below(shown),
        applied=applied, reversed=below(applied), checked=checked, valid=below(checked),
    )  # fmt: skip


@given(
    level=st.sampled_from(LEVELS),
    ceiling=st.sampled_from(LEVELS),
    found=st.lists(figures(), max_size=4),
    change=st.sampled_from(["reversed", "complained", "rejected"]),
)
def test_worse_figures_never_help(level: Level, ceiling: Level, found: list[Figures], change: str) -> None:
    """One more reversal, complaint or rejection never lets an action rise that would have stayed."""
    of = "applied" if change == "reversed" else "shown"
    worse = [replace(one, **{change: min(getattr(one, change) + 1, getattr(one, of))}) for one in found]
    if missing(RULE, level, ceiling, len(found), weeks(*found)):
        assert missing(RULE, level, ceiling, len(worse), weeks(*worse))
    assert len(broken(RULE, level, weeks(*worse))) >= len(broken(RULE, level, weeks(*found)))
