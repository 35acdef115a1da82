"""The tables that `keepgrow monitor` prints."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

from rich.table import Table

from training.monitoring.expected import ASSUMPTION

if TYPE_CHECKING:
    from rich.console import Console

    from training.evaluation.bootstrap import Estimate
    from training.monitoring.findings import Watch
    from training.monitoring.limits import MonitorLimits

FIGURES = {
    "roc_auc": "ROC AUC",
    "brier": "Brier score",
    "precision": "precision",
    "recall": "recall",
    "flagged": "share flagged",
}
FEATURES_SHOWN = 10
SIGNALS_SHOWN = 6


def show(console: Console, tag: str, end: dt.datetime, found: Watch, limits: MonitorLimits) -> None:
    """Print all that was found of the bundle *tag* on the accounts as of *end*, and whether it is due."""
    title = f"{tag}, trained {found.age_days} days ago, on {found.accounts:,} accounts as of {end:%Y-%m-%d %H:%M} UTC"
    console.print(performance_table(found, title))
    if found.drift:
        console.print(drift_table(found, limits))
    if found.importance:
        console.print(importance_table(found, limits))
    for note in found.notes:
        console.print(f"[yellow]not judged[/] {note}")
    for reason in found.reasons:
        console.print(f"[bold yellow]due[/] {reason.trigger}: {reason.sentence}")
    if not found.due:
        console.print("[green]not due[/] for training")


def performance_table(found: Watch, title: str) -> Table:
    """Return each head and horizon: realised and expected on test, expected now."""
    table = _table(title, ("head", "figure", "realised on test", "expected on test", "expected now"))
    table.caption, table.caption_justify = ASSUMPTION, "left"
    for one in found.heads:
        for figure, name in FIGURES.items():
            realised = (one.tested.get(figure) or {}).get("value")
            table.add_row(
                f"{one.head} {one.days}d",
                name,
                "-" if realised is None else f"{realised:.3f}",
                "-" if one.on_test is None else _told(getattr(one.on_test, figure)),
                _told(getattr(one.expected, figure)),
            )
    return table


def drift_table(found: Watch, limits: MonitorLimits) -> Table:
    """Return the features that moved most."""
    table = _table(
        "features that moved most (population stability index)",
        ("feature", "index", "noise explains", "missing on test", "missing now", ""),
    )
    for one in found.drift[:FEATURES_SHOWN]:
        missing = (f"{one.missing_before:.1%}", f"{one.missing_now:.1%}")
        beyond = "beyond" if one.beyond(limits.max_psi) else ""
        table.add_row(one.feature, f"{one.psi:.3f}", f"{one.noise:.3f}", *missing, beyond)
    return table


def importance_table(found: Watch, limits: MonitorLimits) -> Table:
    """Return the signals that each head goes by most, and those that changed beyond the limit."""
    table = _table(
        "what each head goes by (share of all contributions)",
        ("head", "signal", "on test", "now", "change", ""),
    )
    for head in dict.fromkeys(one.head for one in found.importance):
        for place, one in enumerate(one for one in found.importance if one.head == head):
            beyond = one.beyond(limits.max_share_change)
            if place < SIGNALS_SHOWN or beyond:
                shares = (f"{one.before:.1%}", f"{one.now:.1%}")
                table.add_row(head, one.signal, *shares, _told(one.change), "beyond" if beyond else "")
    return table


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    return table


def _told(estimate: Estimate) -> str:
    """Return a figure with its interval; a dash where there is no threshold, no interval where it is known."""
    if math.isnan(estimate.value):
        return "-"
    if estimate.low == estimate.high:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
