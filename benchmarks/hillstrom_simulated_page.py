"""The results of simulated trials as a section of a page; see `benchmarks.hillstrom_simulated`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from benchmarks.hillstrom_trial import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TRUTH: Final = "the truth"


@dataclass(frozen=True, slots=True)
class Judged:
    """What one simulated trial said of one learner, by true effects.

    Attributes:
        shape: Shape of the effects.
        number: Number of the trial.
        learner: Name.
        figures: By key of `FIGURES`, in visits per 1,000 customers.
    """

    shape: str
    number: int
    learner: str
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: its heading, and 1 if more is better, -1 if less is."""

    heading: str
    better: float


FIGURES: Final = {
    "ranking": Figure("ranking area", 1.0),
    "policy": Figure("policy less the best e-mail for everyone", 1.0),
    "error": Figure("root mean square error of effects", -1.0),
}


def markdown(judged: Sequence[Judged], notes: Sequence[str], date: str) -> str:
    """Return the section.

    Args:
        judged: Every learner in every trial.
        notes: On what took part.
        date: Of the run.
    """
    shapes = list(dict.fromkeys(one.shape for one in judged))
    learners = list(dict.fromkeys(one.learner for one in judged))
    trials = len({one.number for one in judged})
    values = {
        (name, figure): _values(judged, name, figure, shapes) for name in learners for figure in FIGURES
    }
    ranked = sorted(learners, key=lambda name: -float(values[name, "ranking"].mean()))
    preface = (
        f"`python -m benchmarks.hillstrom_simulated`, {date}; {trials} trials of each of {len(shapes)} shapes of "
        f"planted effects; {'; '.join(notes)}. Visits are simulated, in units of visits per 1,000 customers. Learners "
        "are judged by the true effects of 32,000 customers whom they have not seen; intervals of 95 % are over trials "
        "(Student's t, shapes held fixed). Sorted by ranking."
    )
    lines = [
        "## Simulated trials of Hillstrom's customers",
        "",
        preface,
        "",
        *_table(ranked, values),
        "",
        "By shape, means over trials (ranking area / policy / error):",
        "",
        *_by_shape(ranked, shapes, values),
        "",
        _verdict(learners, values),
    ]
    return "\n".join(lines) + "\n"


def difference(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean difference and its 95 % interval; shape (shapes, trials) each, paired by trial."""
    apart = mine - theirs
    shapes, trials = apart.shape
    if trials < 2:  # noqa: PLR2004 - a spread needs two
        return float(apart.mean()), float("nan"), float("nan")
    free = shapes * (trials - 1)
    error = np.sqrt(np.sum((apart - apart.mean(axis=1, keepdims=True)) ** 2) / free / apart.size)
    reach = float(stats.t.ppf(0.975, free)) * float(error)
    return float(apart.mean()), float(apart.mean()) - reach, float(apart.mean()) + reach


def _values(judged: Sequence[Judged], name: str, figure: str, shapes: Sequence[str]) -> NDArray[np.float64]:
    """Return the figure of every trial, shape (shapes, trials)."""
    return np.array(
        [
            [one.figures[figure] for one in judged if one.learner == name and one.shape == shape]
            for shape in shapes
        ]
    )


def _table(ranked: Sequence[str], values: dict[tuple[str, str], NDArray[np.float64]]) -> list[str]:
    heads = [
        "learner",
        *(figure.heading for figure in FIGURES.values()),
        *(f"ours minus it ({figure.heading})" for figure in FIGURES.values()),
    ]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for name in ranked:
        cells = [f"{values[name, figure].mean():.2f}" for figure in FIGURES]
        cells += [
            ""
            if name in {SHIPPED, TRUTH}
            else _interval(difference(values[SHIPPED, figure], values[name, figure]))
            for figure in FIGURES
        ]
        lines.append(_line([f"**{name}**" if name == SHIPPED else name, *cells]))
    return lines


def _by_shape(
    ranked: Sequence[str], shapes: Sequence[str], values: dict[tuple[str, str], NDArray[np.float64]]
) -> list[str]:
    lines = [_line(["learner", *shapes]), _line(["---"] * (len(shapes) + 1))]
    for name in ranked:
        cells = [
            " / ".join(f"{values[name, figure][row].mean():.2f}" for figure in FIGURES)
            for row in range(len(shapes))
        ]
        lines.append(_line([f"**{name}**" if name == SHIPPED else name, *cells]))
    return lines


def _verdict(learners: Sequence[str], values: dict[tuple[str, str], NDArray[np.float64]]) -> str:
    """Return how ours compares with the best yardstick in each figure, the best picked by that very figure."""
    others = [name for name in learners if name not in {SHIPPED, TRUTH}]
    if not others:
        return "No yardstick was installed."
    sentences = []
    for key, figure in FIGURES.items():
        best = max(others, key=lambda name: figure.better * float(values[name, key].mean()))
        gap = difference(values[SHIPPED, key], values[best, key])
        if not np.isfinite(gap[1]):
            words = "one trial a shape has no interval"
        elif gap[1] <= 0 <= gap[2]:
            words = "the interval holds zero"
        else:
            words = "ours is surely better" if figure.better * gap[0] > 0 else "ours is surely worse"
        sentences.append(
            f"**{figure.heading}**: the best yardstick is {best}; ours minus it {_interval(gap)}: {words}."
        )
    return "\n\n".join(sentences)


def _interval(gap: tuple[float, float, float]) -> str:
    value, low, high = gap
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]" if np.isfinite(low) else f"{value:+.2f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
