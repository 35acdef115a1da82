"""The picture of latencies: one line a server, from the median to the slowest in a thousand."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 860
HEIGHT: Final = 460
LEFT, RIGHT, TOP, BOTTOM = 62, 236, 58, 52
_COLORS: Final = {  # on light and on dark ground
    "ours": ("#0b6e4f", "#4fd6a5"),
    "floor": ("#5a6472", "#aab4c2"),
    "ordinary": ("#b3261e", "#ff8a80"),
    "fastapi-feast": ("#8a5a00", "#f2b84b"),
    "feast-server": ("#5b3fa6", "#b9a3ff"),
}
_LABEL_GAP: Final = 16.0


@dataclass(frozen=True, slots=True)
class Line:
    """One server.

    Attributes:
        name: Its name, which chooses its colour.
        label: What stands beside its end.
        points: Share of requests (0.5 to below 1) and latency in milliseconds, ascending.
    """

    name: str
    label: str
    points: tuple[tuple[float, float], ...]


def latency_svg(title: str, note: str, lines: Sequence[Line], promise_ms: float = 100.0) -> str:
    """Return the picture as SVG, readable on light and on dark ground.

    Args:
        title: Stands on top.
        note: Stands below the title, smaller.
        lines: The servers; at least one with a point.
        promise_ms: Drawn as a dashed line.

    Raises:
        ValueError: There is nothing to draw.
    """
    values = [value for line in lines for _, value in line.points if value > 0]
    if not values:
        raise ValueError("there is no latency to draw")
    low = 10.0 ** math.floor(math.log10(min(values)))
    high = 10.0 ** math.ceil(math.log10(max(*values, promise_ms * 1.01)))
    axes = _Axes(low, high, max(share for line in lines for share, _ in line.points))
    drawn = [*_frame(axes, title, note), *_promise(axes, promise_ms)]
    ends = _spread_labels([axes.y(line.points[-1][1]) for line in lines])
    for line, label_y in zip(lines, ends, strict=True):
        path = " ".join(f"{axes.x(share):.1f},{axes.y(value):.1f}" for share, value in line.points)
        kind = f"c-{line.name}"
        drawn.append(f'<polyline class="line {kind}" points="{path}"/>')
        end_x, end_y = axes.x(line.points[-1][0]), axes.y(line.points[-1][1])
        drawn.append(f'<circle class="dot {kind}" cx="{end_x:.1f}" cy="{end_y:.1f}" r="3.5"/>')
        drawn.append(f'<path class="lead" d="M{end_x + 5:.1f} {end_y:.1f} L{end_x + 16:.1f} {label_y:.1f}"/>')
        drawn.append(
            f'<text class="label {kind}" x="{end_x + 20:.1f}" y="{label_y + 4:.1f}">'
            f"{escape(line.label)}</text>"
        )
    body = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">\n'
        f"<style>{_style()}</style>\n"
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="8"/>\n{body}\n</svg>\n'
    )


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where values lie: latency by its logarithm, shares by how rare what lies beyond them is."""

    low: float
    high: float
    last_share: float

    def x(self, share: float) -> float:
        part = math.log(0.5 / (1 - share)) / math.log(0.5 / (1 - self.last_share))
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        clipped = min(max(value, self.low), self.high)
        part = math.log(clipped / self.low) / math.log(self.high / self.low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def _frame(axes: _Axes, title: str, note: str) -> list[str]:
    drawn = [
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        f'<text class="note" x="{LEFT}" y="43">{escape(note)}</text>',
    ]
    tick = axes.low
    while tick <= axes.high * 1.001:
        for factor in (1, 2, 5):
            value = tick * factor
            if value > axes.high * 1.001:
                break
            y = axes.y(value)
            kind = "grid" if factor == 1 else "grid faint"
            drawn.append(f'<path class="{kind}" d="M{LEFT} {y:.1f} H{WIDTH - RIGHT}"/>')
            drawn.append(
                f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
            )
        tick *= 10
    for share, name in ((0.5, "half"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")):
        if share <= axes.last_share:
            x = axes.x(share)
            drawn.append(f'<path class="grid" d="M{x:.1f} {TOP} V{HEIGHT - BOTTOM}"/>')
            drawn.append(
                f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" '
                f'text-anchor="middle">{name}</text>'
            )
    middle = (LEFT + WIDTH - RIGHT) / 2
    drawn.append(
        f'<text class="note" x="{middle}" y="{HEIGHT - 12}" '
        'text-anchor="middle">share of requests answered within</text>'
    )
    drawn.append(f'<text class="note" x="{LEFT - 8}" y="{TOP - 15}" text-anchor="end">ms</text>')
    return drawn


def _promise(axes: _Axes, promise_ms: float) -> list[str]:
    y, end = axes.y(promise_ms), WIDTH - RIGHT
    said = f"the promise: {promise_ms:g} ms"
    return [
        f'<path class="promise" d="M{LEFT} {y:.1f} H{end}"/>',
        f'<text class="tick" x="{end - 6}" y="{y - 5:.1f}" text-anchor="end">{said}</text>',
    ]


def _spread_labels(heights: Sequence[float]) -> list[float]:
    """Return heights for labels, in the given order, moved apart so that none covers another."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    placed = list(heights)
    for above, below in itertools.pairwise(order):
        placed[below] = max(placed[below], placed[above] + _LABEL_GAP)
    lowest = HEIGHT - BOTTOM
    overflow = placed[order[-1]] - lowest if order else 0.0
    for below, above in zip(reversed(order), reversed(order[:-1]), strict=False):
        if overflow > 0 and below == order[-1]:
            placed[below] = lowest
        placed[above] = min(placed[above], placed[below] - _LABEL_GAP)
    return placed


def _style() -> str:
    def colors(which: int) -> str:
        return "".join(
            f".line.c-{name}{{stroke:{pair[which]}}}.dot.c-{name},.label.c-{name}{{fill:{pair[which]}}}"
            for name, pair in _COLORS.items()
        )

    return (
        "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
        ".ground{fill:#fff}.title{font-size:16px;font-weight:600;fill:#1b1f24}.note,.tick{fill:#57606a}"
        ".grid{stroke:#d0d7de;stroke-width:1}.faint{opacity:.45}.promise{stroke:#57606a;stroke-dasharray:5 4}"
        ".lead{stroke:#8c959f;fill:none}.line{fill:none;stroke-width:2}.line.c-ours{stroke-width:3.5}"
        ".label{font-weight:500}.label.c-ours{font-weight:700}"
        f"{colors(0)}"
        "@media(prefers-color-scheme:dark){.ground{fill:#0d1117}.title{fill:#e6edf3}.note,.tick{fill:#9aa4af}"
        ".grid{stroke:#30363d}.promise{stroke:#9aa4af}.lead{stroke:#6e7681}"
        f"{colors(1)}}}"
    )
