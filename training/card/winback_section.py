"""The section of the card on accounts that have left: how likely each is to come back, and how well that was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.coverage_cells import COVERAGE_HEADER, coverage_cells
from training.card.plots import reliability_plot
from training.card.sections import Block, Table, leaf_text, missing_block

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODELS = {
    "keepgrow": "Keepgrow",
    "base_rate": "base rate",
    "days_since_end": "days since the end alone",
}
_READ = {
    "days_since_end": "the days since the end alone",
    "departure": "what is known of the departure",
    "all": "all features",
}


def winback_blocks(found: Mapping[str, Any] | None) -> list[Block]:
    """Return the blocks of what `metrics["winback"]` tells; none if it is not there."""
    if not found:
        return []
    if "left_out" in found:
        return [missing_block("", found), *([Block(facts=_facts(found))] if "returns" in found else [])]
    text = (
        f"{found['definition']} The head learns from rows of its own, accounts that had left at a cutoff, and is "
        "judged on those of the test cutoffs: against the base rate, and against the rate of accounts that had been "
        "away as long. A gain in log loss whose interval lies above 0 is one beyond chance."
    )
    blocks = [Block(text=text, facts=_facts(found))]
    judged = {name: one for name, one in found["horizons"].items() if "models" in one}
    read = _READ[found["training"]["features"]]
    losses = ", ".join(
        f"{_READ[name]} {leaf_text(loss)}"
        for name, loss in found["training"]["validation_log_losses"].items()
    )
    blocks.append(Block(text=f"On validation it did best reading {read}; log losses there: {losses}."))
    rows = tuple(
        (
            f"{name}: back in {one['events']:,} of {one['rows']:,} rows, {one['accounts']:,} accounts",
            label,
            leaf_text(one["models"][key]["roc_auc"]),
            leaf_text(one["models"][key]["log_loss"]),
            leaf_text(one["log_loss_gain"][key]) if key in one["log_loss_gain"] else "-",
        )
        for name, one in judged.items()
        for key, label in _MODELS.items()
    )
    if rows:
        header = ("horizon", "model", "ROC AUC", "log loss", "log loss gained on it")
        blocks.append(Block(table=Table("Coming back, on test rows", header, rows)))
    ratios = tuple(
        (f"observed / expected within {name.removesuffix('d')} days", leaf_text(one["observed_to_expected"]))
        for name, one in judged.items()
    )
    lacking = tuple(
        (f"within {name.removesuffix('d')} days", one["unmeasured"])
        for name, one in found["horizons"].items()
        if "unmeasured" in one
    )
    if ratios or lacking:
        blocks.append(Block(facts=(*ratios, *lacking)))
    plots = tuple(
        reliability_plot(f"Calibration: back within {name.removesuffix('d')} days", one["reliability"])
        for name, one in judged.items()
        if one["reliability"]
    )
    if plots:
        blocks.append(Block(plots=plots))
    return [*blocks, *_coverage(found, judged)]


def _coverage(found: Mapping[str, Any], judged: Mapping[str, Any]) -> list[Block]:
    """Return how often intervals held the rate of groups of test rows; nothing of a bundle that has none."""
    told = found.get("uncertainty")
    if not told:
        return []
    rows = tuple(
        (
            f"{name}: back in {judged[name]['events']:,} of {judged[name]['rows']:,} rows",
            *coverage_cells(figures),
        )
        for name, figures in told["horizons"].items()
        if name in judged
    )
    text = (
        f"Each chance has a central {told['level']:.0%} interval, made and judged as those of the other heads, and "
        "widened by a fixed factor for what few returns cannot teach. "
    )
    if not rows:
        return [
            Block(heading="Intervals", text=text + "Too few test rows were known to tell how often it holds.")
        ]
    text += (
        f"What follows rests on {found['returns']['test']:,} returns: where most of ten groups of test rows have "
        "one or none, it is mostly chance whether a group's rate lies in its interval."
    )
    header = ("horizon", *COVERAGE_HEADER)
    table = Table("Coverage of intervals on test rows", header, rows)
    return [Block(heading="Intervals", text=text, table=table)]


def _facts(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    returns, rows = found["returns"], found["rows"]
    return (
        ("returns known before the test begins", f"{found['returns_seen']:,}"),
        ("returns needed", f"{found['returns_needed']:,}"),
        *(
            (
                f"{name} rows",
                f"{rows[key]:,} of accounts that had left, with {returns[key]:,} returns seen after them",
            )
            for name, key in (("training", "train"), ("validation", "validation"), ("test", "test"))
        ),
    )
