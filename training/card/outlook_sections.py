"""Sections of the card on what a bundle says beyond probabilities by horizon: intervals, refusal, outlook, uplift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.coverage_cells import COVERAGE_HEADER, coverage_cells
from training.card.plots import reliability_plot
from training.card.sections import Block, Section, Table, leaf_text, missing_block
from training.card.uplift_sections import uplift_blocks
from training.card.winback_section import winback_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping


def outlook_sections(metrics: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the sections of the parts that stand in *metrics*; a part that was left out says why."""
    made = (
        ("Intervals and refusal", [*_intervals(metrics), *_support(metrics.get("support"))]),
        ("Health trajectory", _trajectory(metrics.get("trajectory"))),
        (
            "Expansion: within a year, and by how much",
            [*_long(metrics.get("long_horizon")), *_amount(metrics.get("amount"))],
        ),
        ("Win-back: accounts that have left", winback_blocks(metrics.get("winback"))),
        ("Uplift: what actions change", uplift_blocks(metrics.get("uplift"))),
    )
    return tuple(Section(title, tuple(blocks)) for title, blocks in made if blocks)


def _intervals(metrics: Mapping[str, Any]) -> list[Block]:
    found = metrics.get("uncertainty")
    if not found:
        return []
    ceilings = metrics.get("ceilings", {})
    rows = []
    for head, entry in found.items():
        for horizon, figures in entry["horizons"].items():
            known = ceilings.get(head, {}).get(horizon, {})
            truth, told = known.get("interval_holds_truth"), known.get("interval_holds_told_truth")
            rows.append(
                (
                    f"{head} {horizon}",
                    *coverage_cells(figures),
                    "-" if told is None else f"{told:.0%}",
                    "-" if truth is None else f"{truth:.0%}",
                )
            )
    level = next(iter(found.values()))["level"]
    text = (
        f"Each probability has a central {level:.0%} interval, worked out in the graph from a leaf bootstrap of "
        "accounts and widened to what two heads on disjoint halves of the accounts differ by. Test rows are put in ten "
        "groups by predicted probability; a group's observed rate should lie in its mean interval as often as the "
        "interval says. A group of finite size scatters by itself, which the fourth column allows for. Both are easy "
        "to meet, as errors of single rows average out in a group. The fifth is the mean squared distance of rate and "
        "probability in standard errors of a group's mean, and the range that it keeps to if all is right: above it "
        "intervals are too narrow or probabilities wrong, under it intervals are too wide."
    )
    if any(row[-1] != "-" for row in rows):
        text += (
            " The last two columns are shares of rows whose interval holds what features tell of the true probability "
            "of the simulation, which is what an interval is of, and the true probability itself, which also depends "
            "on what no feature tells."
        )
    header = ("", *COVERAGE_HEADER, "told truth held", "true probabilities held")
    return [Block(text=text, table=Table("Coverage of intervals on test rows", header, tuple(rows)))]


def _support(found: Mapping[str, Any] | None) -> list[Block]:
    if not found:
        return []
    strangers = found.get("strangers", {})
    facts = [
        ("test rows called unlike the training data", f"{found['refused_share']:.1%}"),
        ("squared error of those", leaf_text(found["squared_error_refused"])),
        ("squared error of all others", leaf_text(found["squared_error_answered"])),
        ("ratio of the two", leaf_text(found["error_ratio"])),
    ]
    if strangers:
        moved = f"rows with {strangers['moved_features']} values moved far out that are recognised"
        facts.append((moved, f"{strangers['refused_share']:.1%}"))
    text = (
        "An account is called unlike the training data when features with much of the models' weight lie outside the "
        "range that training saw; its evidence is then thin. A ratio above 1 says that such answers would have been "
        "worse."
    )
    blocks = [Block(heading="Refusal", text=text, facts=tuple(facts))]
    reasons = tuple(
        (
            name.replace("_", " "),
            f"{one['rows']:,}",
            f"{one['events']:,}",
            leaf_text(one.get("error_ratio")),
            *(
                leaf_text(one.get("calibration", {}).get(side, {}).get("expected_calibration_error"))
                for side in ("refused", "answered")
            ),
        )
        for name, one in found.get("reasons", {}).items()
    )
    if reasons:
        header = ("reason", "rows", "events", "error ratio", "calibration error", "of the others")
        blocks.append(Block(table=Table("Test rows of thin evidence, by reason", header, reasons)))
    spoiled = tuple(
        (
            way,
            one["reason"].replace("_", " "),
            f"{one['recognised']:.0%}",
            f"{one['recognised_by_any']:.0%}",
        )
        for way, one in found.get("spoiled", {}).items()
    )
    if spoiled:
        columns = ("spoiled on purpose", "reason about it", "recognised by it", "by any")
        blocks.append(Block(table=Table("Sound test rows that were spoiled", columns, spoiled)))
    return blocks


def _trajectory(found: Mapping[str, Any] | None) -> list[Block]:
    if not found:
        return []
    if "classes" not in found:
        return [missing_block("", found)]
    facts = (
        ("test rows", f"{found['rows']:,} of {found['accounts']:,} accounts"),
        ("log loss", leaf_text(found["log_loss"])),
        ("log loss of the class shares", leaf_text(found["log_loss_of_class_shares"])),
        ("gain", leaf_text(found["log_loss_gain"])),
    )
    rows = tuple(
        (
            name,
            f"{found['class_counts'][name]:,}",
            leaf_text(entry["roc_auc"]),
            leaf_text(entry.get("expected_calibration_error_debiased")),
        )
        for name, entry in found["classes"].items()
    )
    blocks = [
        Block(text=str(found["definition"]), facts=facts),
        Block(
            table=Table(
                "",
                ("class", "test rows", "ROC AUC against the rest", "calibration error, noise taken off"),
                rows,
            )
        ),
    ]
    plots = tuple(
        reliability_plot(f"Calibration: {name}", entry["reliability"])
        for name, entry in found["classes"].items()
        if entry["reliability"]
    )
    return [*blocks, Block(plots=plots)]


def _long(found: Mapping[str, Any] | None) -> list[Block]:
    if not found:
        return []
    if "observed_to_expected" not in found:
        return [missing_block("Within a year", found)]
    text = (
        f"Expansion within {found['days']} days: one more hazard after the last horizon, fitted to "
        f"{found['fitted_events']:,} expansions as far as they were seen. Judged by pieces of that interval that were "
        "over only after the fit."
    )
    facts = (
        ("mean probability of test rows", f"{found['mean_probability']:.1%}")
        if found.get("mean_probability") is not None
        else ("mean probability of test rows", "-"),
        ("expansions seen after the fit", f"{found['observed']:,}"),
        ("expected", f"{found['expected']:,.0f}"),
        ("observed / expected", leaf_text(found["observed_to_expected"])),
    )
    blocks = [Block(heading="Within a year", text=text, facts=facts)]
    plot = reliability_plot(
        "Calibration past the last horizon, a piece of the interval", found["reliability"]
    )
    return [*blocks, Block(plots=(plot,))]


def _amount(found: Mapping[str, Any] | None) -> list[Block]:
    if not found:
        return []
    if "gain" not in found:
        return [missing_block("By how much", found)]
    facts = (
        ("model", str(found["model"])),
        ("test rows with an expansion of known amount", f"{found['expansions']:,}"),
        ("mean absolute error, as a share of MRR", leaf_text(found["mean_absolute_error"])),
        ("the same of the mean of training", leaf_text(found["mean_absolute_error_of_the_mean"])),
        ("gain", leaf_text(found["gain"])),
    )
    return [
        Block(heading="By how much", text="Extra MRR over MRR, given that an account expands.", facts=facts)
    ]
