"""The rule by which an action rises: what its last weeks must show, and what is missing. Pure functions.

The same limits, broken within a week, are what an action falls by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from serving.autonomy.figures import together
from serving.decisions.autonomy import FIRST, next_level, reaches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.autonomy.figures import Figures, Week
    from serving.decisions.autonomy import Level, PromotionRule
    from serving.wilson import Ratio

Name = Literal[
    "level",
    "ceiling",
    "weeks",
    "accounts",
    "shown",
    "applied",
    "validity",
    "reversal",
    "complaint",
    "rejection",
]


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that keeps an action from rising.

    Attributes:
        figure: Which figure.
        week: Which of the weeks, the oldest being 1; None if it is not of one week.
        text: What is missing, in a sentence.
    """

    figure: Name
    week: int | None
    text: str

    def to_dict(self) -> dict[str, str | int | None]:
        """Return it as JSON values."""
        return {"figure": self.figure, "week": self.week, "text": self.text}


@dataclass(frozen=True, slots=True)
class Limit:
    """A ratio and what it is held against.

    Attributes:
        figure: Which.
        ratio: The share.
        bound: The limit.
        at_least: Whether the limit is a floor; else it is a ceiling.
    """

    figure: Name
    ratio: Ratio
    bound: float
    at_least: bool

    @property
    def broken(self) -> bool:
        """Whether the share is beyond the limit; a share of nothing is not."""
        value = self.ratio.value
        return value is not None and (value < self.bound if self.at_least else value > self.bound)

    @property
    def surely_within(self) -> bool:
        """Whether the whole 95 % interval is within the limit."""
        low, high = self.ratio.interval_95
        return low >= self.bound if self.at_least else high <= self.bound

    @property
    def text(self) -> str:
        """The share and its limit."""
        value = self.ratio.value
        shown = "none" if value is None else f"{value:.1%}"
        sign = "at least" if self.at_least else "at most"
        counted = f"{self.ratio.events} of {self.ratio.of}"
        return f"{self.figure} is {shown} ({counted}); it should be {sign} {self.bound:.1%}"


def limits(rule: PromotionRule, level: Level, figures: Figures) -> tuple[Limit, ...]:
    """Return the ratios that count for an action at *level*, each with its limit.

    Nobody sees what is in shadow, so only the form of it can be judged.
    """
    of_form = Limit("validity", figures.validity, rule.validity_min, at_least=True)
    if level == FIRST:
        return (of_form,)
    return (
        of_form,
        Limit("reversal", figures.reversal, rule.reversal_ratio_max, at_least=False),
        Limit("complaint", figures.complaint, rule.complaint_ratio_max, at_least=False),
        Limit("rejection", figures.rejection, rule.rejection_ratio_max, at_least=False),
    )


def missing(
    rule: PromotionRule, level: Level, ceiling: Level, whole_weeks: int, weeks: Sequence[Week]
) -> list[Missing]:
    """Return what keeps an action at *level* from the next one; nothing if it may rise.

    Args:
        rule: The policy's rule.
        level: Where it stands.
        ceiling: The highest level that the policy allows it.
        whole_weeks: Whole weeks that it has been there without a break.
        weeks: The last `rule.weeks` of them, oldest first.
    """
    above = next_level(level)
    if above is None:
        return [Missing("level", None, f"it is at the highest level, {level}")]
    found: list[Missing] = []
    if not reaches(ceiling, above):
        found.append(Missing("ceiling", None, f"the policy's ceiling for it is {ceiling}"))
    if whole_weeks < rule.weeks or len(weeks) < rule.weeks:
        found.append(
            Missing("weeks", None, f"it has been at {level} for {whole_weeks} whole weeks of {rule.weeks}")
        )
    for number, week in enumerate(weeks, start=1):
        if week.figures.accounts < rule.accounts_min:
            text = (
                f"week {number}: it was proposed to {week.figures.accounts} accounts of {rule.accounts_min}"
            )
            found.append(Missing("accounts", number, text))
        found += [
            Missing(limit.figure, number, f"week {number}: {limit.text}")
            for limit in limits(rule, level, week.figures)
            if limit.broken
        ]
    whole = together(weeks)
    if level != FIRST and whole.applied < rule.applied_min:
        found.append(Missing("applied", None, f"it was applied {whole.applied} times of {rule.applied_min}"))
    if level != FIRST and whole.shown < rule.shown_min:
        text = f"{whole.shown} decisions of {rule.shown_min} were reported as shown"
        found.append(Missing("shown", None, text))
    if rule.intervals:
        found += [
            Missing(limit.figure, None, f"over {len(weeks)} weeks the 95 % interval of {limit.text}")
            for limit in limits(rule, level, whole)
            if not limit.surely_within
        ]
    return found


def broken(rule: PromotionRule, level: Level, weeks: Sequence[Week]) -> list[Missing]:
    """Return which limits an action at *level* has broken within *weeks*: why it should fall by one level."""
    return [
        Missing(limit.figure, number, f"week {number}: {limit.text}")
        for number, week in enumerate(weeks, start=1)
        for limit in limits(rule, level, week.figures)
        if limit.broken
    ]
