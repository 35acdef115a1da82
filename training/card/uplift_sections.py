"""Blocks of the card on uplift: heads that ship, figures on later draws, policies, segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.plots import curve_plot
from training.card.sections import Block, Table, leaf_text, missing_block, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.card.plots import Plot

_LEARNERS = {
    "s": "one model (S)",
    "t": "two models (T)",
    "dr": "doubly robust (DR)",
    "none": "none, all accounts alike",
}
_RANKING = {
    "average_effect": "average effect",
    "qini": "Qini",
    "auuc": "AUUC",
    "uplift_at_10%": "uplift, best 10 %",
    "uplift_at_20%": "uplift, best 20 %",
    "uplift_at_30%": "uplift, best 30 %",
}
_SHARES = (
    "These shares are no counts: nobody sees one account both with and without an action. They follow from estimated "
    "chances, by the least movement that these allow, so that persuadables and sleeping dogs may both be more. Their "
    "intervals hold the luck of having met these accounts and the error of the average effect; they do not hold the "
    "error of the estimated chance without the action, nor how far single accounts lie from what is estimated of them."
)
_HELD_OUT = "On later draws that no head had seen when it was judged"


def uplift_blocks(found: Mapping[str, Any] | None) -> list[Block]:
    """Return what is said of uplift; nothing if there are no figures."""
    if not found:
        return []
    if "outcomes" not in found:
        return [missing_block("", found)]
    text = (
        f"Effects of actions within {found['outcome_days']} days, learnt from {found['draws']:,} logged draws of "
        f"{found['accounts']:,} accounts with known chances. Averages are shrunk to declared priors; differences "
        "between accounts count only as far as they came true out of fold. A propensity is never used as a lift. "
        "Effects are in probability (0.02: two accounts more in 100); those marked “x P(churn)” are a share of the "
        "account's own probability of leaving."
    )
    blocks = [Block(text=text)]
    for outcome, entry in found["outcomes"].items():
        blocks += _outcome(outcome, entry)
    for outcome, why in found.get("left_out_outcomes", {}).items():
        blocks.append(Block(heading=words(outcome).capitalize(), text=f"Left out. {why}"))
    return blocks


def _outcome(outcome: str, entry: Mapping[str, Any]) -> list[Block]:
    actions: Mapping[str, Mapping[str, Any]] = entry["actions"]
    blocks = [Block(heading=words(outcome).capitalize(), text=_choice(entry.get("choice")))]
    shipped = [
        (
            words(name),
            f"{one['shipped']['draws']:,}",
            _points(one["shipped"]["prior"]) + _scale(one["shipped"]["prior"]),
            _points(one["shipped"]["measured"]),
            f"{one['shipped']['weight_of_draws']:.0%}",
            _points(one["shipped"]["average"]) + _scale(one["shipped"]["prior"]),
            _LEARNERS.get(one["shipped"]["learner"], one["shipped"]["learner"]),
        )
        for name, one in actions.items()
    ]
    header = ("action", "draws", "prior", "measured", "weight of draws", "average effect", "learner")
    blocks.append(Block(table=Table("Heads that ship (effect ± standard deviation)", header, tuple(shipped))))
    judged = {name: one["held_out"] for name, one in actions.items() if one.get("held_out")}
    if judged:
        keys = tuple(_RANKING)
        rows = [
            (
                words(name),
                f"{one['draws']:,}",
                *(leaf_text(one["ranking"][key]) if key in one["ranking"] else "-" for key in keys),
            )
            for name, one in judged.items()
        ]
        columns = ("action", "draws", *(_RANKING[key] for key in keys))
        blocks.append(Block(table=Table(f"{_HELD_OUT}: ranking", columns, tuple(rows))))
        segments = list(dict.fromkeys(kind for one in judged.values() for kind in one["quadrants"]))
        rows = [
            (words(name), *(leaf_text(one["quadrants"].get(kind)) for kind in segments))
            for name, one in judged.items()
        ]
        columns = ("action", *(words(kind) for kind in segments))
        blocks.append(
            Block(table=Table("Shares of accounts by what an action does", columns, tuple(rows)), folded=True)
        )
        blocks.append(Block(text=_SHARES))
    blocks += [*_calibration(judged), *_policy(entry.get("policy"))]
    plots = [plot for name, one in judged.items() for plot in _plots(words(name), one)]
    return [*blocks, Block(plots=tuple(plots))] if plots else blocks


def _plots(action: str, judged: Mapping[str, Any]) -> list[Plot]:
    """Return the Qini curve of one head, in percentage points, where it tells accounts apart."""
    curve = judged.get("qini_curve")
    if not curve:
        return []
    points: dict[str, Any] = {
        key: [round(100 * value, 2) for value in curve[key]] for key in ("y", "low", "high") if key in curve
    }
    points["y_label"] = "gain, percentage points"
    return [curve_plot(f"Qini: {action}", {**curve, **points})]


def _calibration(judged: Mapping[str, Mapping[str, Any]]) -> list[Block]:
    """Return what was observed of groups of equal size by estimated effect, of heads that have several groups."""
    rows = tuple(
        (
            words(name),
            str(number),
            f"{group['rows']:,}",
            leaf_text(group["estimated"]),
            leaf_text(group["observed"]),
        )
        for name, one in judged.items()
        for number, group in enumerate(one["calibration"]["bins"], start=1)
        if len(one["calibration"]["bins"]) > 1
    )
    if not rows:
        return []
    header = ("action", "group", "draws", "estimated effect", "observed effect")
    return [
        Block(table=Table("Calibration of uplift, groups by estimated effect", header, rows), folded=True)
    ]


def _policy(found: Mapping[str, Any] | None) -> list[Block]:
    if not found:
        return []
    rows = tuple(
        (
            words(name),
            *(leaf_text(values[kind]) for kind in ("ips", "snips", "doubly_robust")),
            leaf_text(found["uplift_less_others"].get(name)),
        )
        for name, values in found["value"].items()
    )
    header = ("policy", "IPS", "SNIPS", "doubly robust", "uplift less this one")
    caption = f"{_HELD_OUT}: mean outcome if every draw followed the policy (best single action: "
    return [Block(table=Table(f"{caption}{words(found['best_single_action'])})", header, rows))]


def _choice(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    names = list(found.get("improvement_over_averages_e6", {})) or [found["learner"]]
    compared = ", ".join(_LEARNERS.get(name, name) for name in names)
    taken = _LEARNERS.get(found["learner"], found["learner"])
    why = (
        "surely closer to the effects of earlier draws of other folds"
        if found["decided"]
        else found.get("reason", "none of the others was surely closer")
    )
    return f"Learners compared: {compared}. Taken: {taken} ({why})."


def _points(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "-"
    return f"{found['mean']:+.3f} ± {found.get('sd', found.get('standard_error', 0.0)):.3f}"


def _scale(prior: Mapping[str, Any]) -> str:
    return " x P(churn)" if prior.get("scale") == "churn_probability" else ""
