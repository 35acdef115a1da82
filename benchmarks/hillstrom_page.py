"""Hillstrom's results as a section of the performance page: means over seeds, each seed, and who is ahead of whom."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.hillstrom_trial import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

Figures: TypeAlias = "dict[str, list[float]]"
"""By metric: its value on the test rows, then on each resample of the customers."""
Table: TypeAlias = "dict[str, list[Figures]]"
"""By learner: the figures of each seed."""

Values: TypeAlias = NDArray[np.float64]
"""Shape (1 + samples,): a figure on the rows as they are, then on each resample."""

SINGLE: Final = "best single e-mail for everyone"
METRICS: Final = {
    "qini": "Qini",
    "auuc": "AUUC",
    "policy_dr": "policy value, doubly robust",
    "policy_snips": "policy value, SNIPS",
}
COMPARED: Final = ("qini", "policy_dr")
UNITS: Final = {"visit": ("1,000 customers", 1000.0), "spend": ("100 customers, USD", 100.0)}
SEEDS: Final = 5
_LIBRARIES: Final = ("causalml", "econml")


def markdown(
    results: dict[str, Table], notes: Sequence[str], samples: int, date: str, *, first: int = 0
) -> str:
    """Return the section for the performance page.

    Args:
        results: By outcome.
        notes: On what took part, put into the opening sentence.
        samples: Resamples behind the intervals.
        date: Of the run.
        first: The first seed; the others follow it.
    """
    seeds = len(next(iter(results["visit"].values())))
    which = f"seeds {first} to {first + seeds - 1}" if seeds > 1 else f"seed {first}"
    options = f" --first-seed {first}" * bool(first) + f" --seeds {seeds}" * (seeds != SEEDS)
    preface = (
        f"`python -m benchmarks.hillstrom{options}`, {date}; 64,000 customers, {which} of a 50/50 split; "
        f"LightGBM {metadata.version('lightgbm')}; {'; '.join(notes)}.\n"
        f"Means over seeds with 95 % intervals over customers ({samples} resamples of all customers, the same for all "
        "learners and seeds; fitted models are kept). Qini and AUUC are gains per customer, not divided by a perfect "
        "ranking's, mean of both e-mails against none; they can't be compared with other libraries' figures. Policy "
        "value is the mean outcome per customer if each gets the arm of the largest estimated effect (none if none is "
        "above zero). Learners stand in the order of that value."
    )
    title = "## Uplift on Hillstrom"
    lines = [f"{title}, {which}" if first else title, "", preface]
    for outcome, table in results.items():
        unit, scale = UNITS[outcome]
        ranked = sorted(table, key=lambda name: -mean(table[name], "policy_dr")[0])
        lines += ["", f"### {outcome} (per {unit})", "", *means_table(table, ranked, scale)]
        lines += ["", "Each seed:", "", *seeds_table(table, ranked, scale, first), "", verdict(table, scale)]
    if len(results) > 1:
        lines += ["", whole(results)]
    return "\n".join(lines) + "\n"


def whole(results: dict[str, Table]) -> str:
    """Return how ours compares with each yardstick as one learner for all outcomes and both metrics."""
    others = [
        name
        for name in next(iter(results.values()))
        if name.startswith(_LIBRARIES) and all(name in table for table in results.values())
    ]
    if not others:
        return "No yardstick was installed for all outcomes."
    gaps = {
        name: [gap(table, name, metric) for table in results.values() for metric in COMPARED]
        for name in others
    }
    every = len(results) * len(COMPARED)
    ahead = {name: sum(one[0] > 0 for one in found) for name, found in gaps.items()}
    counts = "; ".join(
        f"{number} of {every} against {', '.join(name for name in others if ahead[name] == number)}"
        for number in sorted(set(ahead.values()), reverse=True)
    )
    sure = [_ends(one) for found in gaps.values() for one in found]
    return (
        f"**Each yardstick as one learner for everything** (Qini and policy value, {' and '.join(results)}): ours is "
        f"ahead in {counts}. Of these {len(sure)} comparisons ours is surely ahead in "
        f"{sum(low > 0 for low, _ in sure)} and surely behind in {sum(high < 0 for _, high in sure)} (95 % intervals)."
    )


def means_table(table: Table, ranked: Sequence[str], scale: float) -> list[str]:
    """Return the lines of means over seeds, and of what ours is ahead by."""
    gaps = [f"ours minus it ({METRICS[metric]})" for metric in COMPARED]
    heads = ["learner", *METRICS.values(), *gaps]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for name in ranked:
        cells = [_interval(mean(table[name], metric), scale) for metric in METRICS]
        cells += [
            "" if name == SHIPPED else _interval(gap(table, name, metric), scale, sign="+")
            for metric in COMPARED
        ]
        lines.append(_line([f"**{name}**" if name == SHIPPED else name, *cells]))
    return lines


def seeds_table(table: Table, ranked: Sequence[str], scale: float, first: int = 0) -> list[str]:
    """Return the lines of each seed's figures; seeds count from *first*."""
    seeds = range(first, first + len(table[ranked[0]]))
    heads = ["learner", *(f"{METRICS[metric]}, seed {seed}" for metric in COMPARED for seed in seeds)]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for name in ranked:
        cells = [
            f"{scale * one[metric][0]:.2f}" if metric in one else "-"
            for metric in COMPARED
            for one in table[name]
        ]
        lines.append(_line([f"**{name}**" if name == SHIPPED else name, *cells]))
    return lines


def verdict(table: Table, scale: float) -> str:
    """Return how the shipped heads compare with the yardsticks: with the best of them, and pair by pair."""
    others = [name for name in table if name.startswith(_LIBRARIES)]
    if not others:
        return "No yardstick was installed."
    sentences = []
    for metric in COMPARED:
        best = max(others, key=lambda name: mean(table[name], metric)[0])
        difference = gap(table, best, metric)
        ahead = sum(gap(table, name, metric)[0] > 0 for name in others)
        pairs = [
            mine[metric][0] - theirs[metric][0]
            for name in others
            for mine, theirs in zip(table[SHIPPED], table[name], strict=True)
        ]
        with_best = [
            mine[metric][0] - theirs[metric][0]
            for mine, theirs in zip(table[SHIPPED], table[best], strict=True)
        ]
        sentences.append(
            f"**{METRICS[metric]}**: by the mean over seeds ours as shipped is ahead of {ahead} of {len(others)} "
            f"yardsticks; of {len(pairs)} pairs of a yardstick and a seed it is ahead in {_count(pairs, 1)} and behind "
            f"in {_count(pairs, -1)}. The best yardstick is {best}: ours minus it "
            f"{_interval(difference, scale, sign='+')}, ahead in {_count(with_best, 1)} of {len(with_best)} seeds; "
            f"{_words(difference)}."
        )
    single = gap(table, SINGLE, "policy_dr")
    sentences.append(
        f"Against {SINGLE}: {_interval(single, scale, sign='+')} in policy value; {_words(single)}."
    )
    return "\n\n".join(sentences)


def mean(found: Sequence[Figures], metric: str) -> Values:
    """Return the mean over seeds: on the rows as they are, then on each resample; NaN where there is no such metric."""
    if metric not in found[0]:
        return np.array([np.nan])
    return np.asarray(np.mean([one[metric] for one in found], axis=0), dtype=np.float64)


def gap(table: Table, name: str, metric: str) -> Values:
    """Return ours as shipped less *name*, mean over seeds: on the rows as they are, then on each resample."""
    return np.asarray(mean(table[SHIPPED], metric) - mean(table[name], metric), dtype=np.float64)


def _ends(values: Values) -> tuple[float, float]:
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return float(low), float(high)


def _interval(values: Values, scale: float, *, sign: str = "") -> str:
    if np.isnan(values[0]):
        return "-"
    low, high = _ends(values)
    return f"{scale * values[0]:{sign}.2f} [{scale * low:{sign}.2f}, {scale * high:{sign}.2f}]"


def _words(difference: Values) -> str:
    low, high = _ends(difference)
    if low > 0:
        return "the interval is above zero"
    return "the interval is below zero" if high < 0 else "the interval holds zero"


def _count(differences: Sequence[float], sign: int) -> int:
    return sum(sign * one > 0 for one in differences)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
