"""Sections of the card on what a bundle says beyond probabilities by horizon: intervals, refusal, outlook, uplift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.plots import reliability_plot
from training.card.sections import Block, Section, Table, leaf_text, missing_block
from training.card.uplift_sections import uplift_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTLOOK_KEYS = ("uncertainty", "support", "trajectory", "amount", "long_horizon", "uplift")


def outlook_sections(metrics: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the sections of the parts that stand in *metrics*; a part that was left out says why."""
    made = (
        ("Intervals and refusal", [*_intervals(metrics), *_support(metrics.get("support"))]),
        ("Health trajectory", _trajectory(metrics.get("trajectory"))),
        (
            "Expansion: within a year, and by how much",
            [*_long(metrics.get("long_horizon")), *_amount(metrics.get("amount"))],
        ),
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
            truth = ceilings.get(head, {}).get(horizon, {}).get("interval_holds_truth")
            rows.append(
                (
                    f"{head} {horizon}",
                    f"{figures['nominal']:.0%}",
                    f"{figures['plain']:.0%}",
                    f"{figures['with_sampling']:.0%}",
                    leaf_text(figures["mean_width"]),
                    "-" if truth is None else f"{truth:.0%}",
                )
            )
    level = next(iter(found.values()))["level"]
    text = (
        f"Each probability has a central {level:.0%} interval, worked out in the graph from a leaf bootstrap of "
        "accounts and widened to what two heads on disjoint halves of the accounts differ by. Test rows are put in ten "
        "groups by predicted probability; a group's observed rate should lie in its mean interval as often as the "
        "interval says. A group of finite size scatters by itself, which the fourth column allows for."
    )
    if any(row[-1] != "-" for row in rows):
        text += (
            " The last column is the share of rows whose interval holds the true probability of the simulation. That "
            "one also depends on what no feature tells, so it is held less often than the probability that features "
            "can tell."
        )
    header = ("", "nominal", "groups held", "with their scatter", "mean width", "true probabilities held")
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
    return [Block(heading="Refusal", text=text, facts=tuple(facts))]


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
        (name, f"{found['class_counts'][name]:,}", leaf_text(entry["roc_auc"]))
        for name, entry in found["classes"].items()
    )
    blocks = [
        Block(text=str(found["definition"]), facts=facts),
        Block(table=Table("", ("class", "test rows", "ROC AUC against the rest"), rows)),
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
