"""The curves of a card as drawings: points in the units of a small SVG, so that the page needs no script.

A plot is a value; the template turns it into inline SVG whose colours come from the page's style sheet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 240, 222
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 22, 38
"""Room around the frame: numbers stand to its left and below it, the vertical axis' name above it, so that no word
lies on a curve."""
_STEPS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_ROUND = (1.0, 2.0, 5.0, 10.0)
_MOST_STEPS = 4
_MIDDLE = 0.5
_TALLEST = 2.0
"""How far above the points an interval may stretch the drawing; one that is longer is cut at the frame."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One small chart.

    Attributes:
        title: What it shows.
        caption: How to read it, in one sentence.
        x_label: Name of the horizontal axis.
        y_label: Name of the vertical axis.
        line: Points of our curve as SVG writes them; empty if only dots are drawn.
        reference: Points of the line that chance, or perfect calibration, would draw.
        dots: (x, y, top of the interval, bottom of the interval) in SVG units.
        x_ticks: (position, text).
        y_ticks: (position, text).
        band: Points of the outline of our curve's interval; empty without one.
    """

    title: str
    caption: str
    x_label: str
    y_label: str
    line: str
    reference: str
    dots: tuple[tuple[float, float, float, float], ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    band: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand in the drawing: x from 0 to `x_top`, y from `y_low` to `y_top`, numbered every `y_step`."""

    x_top: float = 1.0
    y_top: float = 1.0
    y_low: float = 0.0
    y_step: float | None = None

    @classmethod
    def around(cls, x_top: float, low: float, high: float) -> Scale:
        """Return a scale that holds *low* to *high*, with both ends and all numbers multiples of a round step.

        Args:
            x_top: End of the horizontal axis.
            low: At least.
            high: At most, above *low*.
        """
        least = (high - low) / _MOST_STEPS
        power = 10.0 ** math.floor(math.log10(least))
        step = next(power * part for part in _ROUND if power * part >= least * (1 - 1e-9))
        bottom, top = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return cls(x_top, step * max(top, bottom + 1), step * bottom, step)

    def x(self, value: float) -> float:
        """Return the horizontal position of *value*."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(value / self.x_top, 0.0), 1.0), 1)

    def y(self, value: float) -> float:
        """Return the vertical position of *value*."""
        share = (value - self.y_low) / (self.y_top - self.y_low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(share, 0.0), 1.0), 1)

    def path(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        """Return points as the attribute `points` of a polyline."""
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in zip(xs, ys, strict=True))

    def ticks(self) -> tuple[tuple[tuple[float, str], ...], tuple[tuple[float, str], ...]]:
        """Return the ticks of both axes: ends and middle, or every `y_step`."""
        xs = tuple((self.x(self.x_top * part), f"{self.x_top * part:g}") for part in (0, _MIDDLE, 1))
        step = self.y_step or (self.y_top - self.y_low) * _MIDDLE
        count = round((self.y_top - self.y_low) / step)
        values = [self.y_low + step * number for number in range(count + 1)]
        return xs, tuple((self.y(value), f"{value + 0.0:.3g}") for value in values)


def plots_of(found: Mapping[str, Any]) -> tuple[Plot, ...]:
    """Return the plots of one head and horizon.

    Args:
        found: What `training.evaluation.report.evaluate` gives; curves that are not in it are left out.
    """
    lines = found.get("curves", {})
    rate = found["events"] / found["rows"] if found.get("rows") else 0.0
    plots = []
    if "roc" in lines:
        scale = Scale()
        plots.append(
            _line(
                scale,
                lines["roc"],
                "ROC",
                "Share of non-events flagged against share of events flagged; the dashed line is chance.",
                ("false-positive rate", "true-positive rate"),
                scale.path((0, 1), (0, 1)),
            )
        )
    if "precision_recall" in lines:
        top = _rounded_up(max(lines["precision_recall"]["y"]))
        scale = Scale(y_top=top)
        plots.append(
            _line(
                scale,
                lines["precision_recall"],
                "Precision and recall",
                f"Events among the flagged, as more are flagged; the dashed line is the event rate, {rate:.1%}.",
                ("recall", "precision"),
                scale.path((0, 1), (rate, rate)),
            )
        )
    if found.get("calibration", {}).get("bins"):
        plots.append(_reliability(found["calibration"]["bins"]))
    if "gain" in lines:
        scale = Scale()
        plots.append(
            _line(
                scale,
                lines["gain"],
                "Lift (cumulative gain)",
                _lift_caption(found),
                ("share of accounts, riskiest first", "share of events"),
                scale.path((0, 1), (0, 1)),
            )
        )
    return tuple(plots)


def curve_plot(name: str, curve: Mapping[str, Any]) -> Plot:
    """Return the plot of any other curve: `x`, `y`, and what it has of `x_label`, `y_label`, `caption`, `low`, `high`.

    `low` and `high` are the interval of every point, which is drawn as a band.
    """
    xs, ys = curve["x"], curve["y"]
    bottoms, tops = curve.get("low") or ys, curve.get("high") or ys
    low, high = min(0.0, *ys, *bottoms), max(0.0, *ys, *tops)
    scale = Scale.around(max(*xs, 1e-9), low, high if high > low else low + 1.0)
    straight = scale.path((xs[0], xs[-1]), (ys[0], ys[-1]))
    labels = (str(curve.get("x_label", "")), str(curve.get("y_label", "")))
    plot = _line(scale, curve, name, str(curve.get("caption", "")), labels, straight)
    if bottoms is ys:
        return plot
    outline = scale.path([*xs, *reversed(xs)], [*tops, *reversed(bottoms)])
    return replace(plot, band=outline)


def reliability_plot(title: str, bins: Sequence[Mapping[str, float]]) -> Plot:
    """Return observed against predicted of groups of equal size, without intervals; *bins* holds one at least."""
    plain = [{**point, "low": point["observed"], "high": point["observed"]} for point in bins]
    caption = f"{len(bins)} groups of equal size; on the dashed line, things happen as often as predicted."
    return replace(_reliability(plain), title=title, caption=caption)


def _line(
    scale: Scale,
    curve: Mapping[str, Any],
    title: str,
    caption: str,
    labels: tuple[str, str],
    reference: str,
) -> Plot:
    x_ticks, y_ticks = scale.ticks()
    return Plot(title, caption, *labels, scale.path(curve["x"], curve["y"]), reference, (), x_ticks, y_ticks)


def _reliability(bins: Sequence[Mapping[str, float]]) -> Plot:
    furthest = max(max(point["predicted"], point["observed"]) for point in bins)
    highest = max(point["high"] for point in bins)
    top = _rounded_up(max(1.15 * furthest, min(highest, _TALLEST * furthest)))
    scale = Scale(x_top=top, y_top=top)
    x_ticks, y_ticks = scale.ticks()
    return Plot(
        title="Calibration",
        caption=f"Accounts in {len(bins)} groups of equal size; on the dashed line, events come as often as predicted. "
        "Bars: 95 % intervals.",
        x_label="predicted probability",
        y_label="observed share",
        line=scale.path([point["predicted"] for point in bins], [point["observed"] for point in bins]),
        reference=scale.path((0, top), (0, top)),
        dots=tuple(
            (
                scale.x(point["predicted"]),
                scale.y(point["observed"]),
                scale.y(point["high"]),
                scale.y(point["low"]),
            )
            for point in bins
        ),
        x_ticks=x_ticks,
        y_ticks=y_ticks,
    )


def _rounded_up(value: float) -> float:
    return next((step for step in _STEPS if step >= value), 1.0)


def _lift_caption(found: Mapping[str, Any]) -> str:
    lift = (
        found.get("models", {}).get("keepgrow", {}).get("metrics", {}).get("lift_top_decile", {}).get("value")
    )
    if lift is None:
        return "Events found by looking at the riskiest accounts first; the dashed line is chance."
    return f"The top 10 % of accounts hold {lift:.1f} times their share of events; the dashed line is chance."
