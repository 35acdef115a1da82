"""What was judged of a head and horizon besides its ranking: targets, threshold rules, segments, scores, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.sections import Table, leaf_text, words
from training.card.wording import RULES_INSTEAD

if TYPE_CHECKING:
    from collections.abc import Mapping

_RULES = (
    "precision",
    "recall",
    "f1",
    "flagged_ratio",
    "revenue_protection_accuracy",
    "revenue_protection_accuracy_gain",
    "revenue_recall",
    "value_per_account",
)
_OF_SEGMENTS = (
    "precision",
    "recall",
    "f1",
    "revenue_protection_accuracy",
    "revenue_protection_accuracy_gain",
)
_MODELS = {
    "keepgrow": "ours at month ends",
    "truth": "by the truth at month ends, same rule",
}
_LABELS = {
    "f1": "F1",
    "flagged_ratio": "flagged",
    "revenue_protection_accuracy": "MRR classified correctly",
    "revenue_protection_accuracy_gain": "more than flagging nobody",
    "revenue_recall": "of the MRR with an event, flagged",
    "value_per_account": "value an account, in the currency of MRR",
}


def judged_tables(found: Mapping[str, Any], ceiling: Mapping[str, Any]) -> tuple[Table, ...]:
    """Return the tables of one head and horizon, as far as it was judged by them.

    Args:
        found: What `training.evaluation.report.evaluate` gives.
        ceiling: What `training.evaluation.ceilings.ceiling` gives, or nothing.
    """
    makers = (_targets(found, ceiling), _rules(found), _segments(found), _bands(found))
    return tuple(table for table in makers if table is not None)


def remarks(found: Mapping[str, Any], ceiling: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is to be said of calibration, of money and of what the truth allows, a sentence each."""
    said = []
    calibration = found.get("calibration", {})
    if calibration:
        parts = {name: leaf_text(figure["value"]) for name, figure in calibration["brier"].items()}
        said.append(
            "Expected calibration error "
            f"{leaf_text(calibration['expected_calibration_error'])}; without what noise adds "
            f"{leaf_text(calibration['expected_calibration_error_debiased'])}. Brier score: reliability "
            f"{parts['reliability']} (0 is best), resolution {parts['resolution']} of an uncertainty of "
            f"{parts['uncertainty']}; skill {parts['skill']}."
        )
    shipped = _shipped(found)
    if shipped and "revenue_protection_accuracy" in shipped["figures"]:
        nobody = shipped["figures"]["revenue_protection_accuracy_flagging_nobody"]["value"]
        gain = shipped["figures"].get("revenue_protection_accuracy_gain")
        said.append(
            "Revenue-protection accuracy is the share of the tested accounts' MRR that is classified correctly; "
            f"flagging nobody reaches {nobody:.1%}"
            + ("" if gain is None else f", from which ours differs by {leaf_text(gain)}")
            + ", so read it beside the share of the MRR with an event that was flagged."
        )
    expected = ceiling.get("expected")
    if expected:
        wanted = expected["recall_at_target_precision"]
        said.append(
            f"What the truth allows: ranking by the true probability itself is expected to reach ROC AUC "
            f"{expected['roc_auc']:.3f} and an F1 of {expected['best_f1']:.2f} at most; "
            + (
                "the target precision can't be had at all, as the surest accounts are events in "
                f"{expected['best_precision']:.0%} of cases."
                if wanted is None
                else f"at the target precision, a recall of {wanted:.0%}."
            )
        )
    return tuple(said)


def observed_to_expected(ratio: Mapping[str, float | None] | None) -> dict[str, float | None]:
    """Return predicted over observed, with its interval, as observed over expected; None where it has no value."""
    low, value, high = ((ratio or {}).get(key) or None for key in ("low", "value", "high"))
    return {
        "value": None if value is None else 1 / value,
        "low": None if high is None else 1 / high,
        "high": None if low is None else 1 / low,
    }


def _shipped(found: Mapping[str, Any]) -> Mapping[str, Any]:
    rules: Mapping[str, Mapping[str, Any]] = found.get("policies", {})
    return next((rule for rule in rules.values() if rule["shipped"]), {})


def _targets(found: Mapping[str, Any], ceiling: Mapping[str, Any]) -> Table | None:
    targets = found.get("targets")
    if not targets:
        return None
    mode = next((name for name, rule in found["policies"].items() if rule["shipped"]), "")
    allowed = ceiling.get("policies", {}).get(mode, {})
    idle = [
        kind for kind in ("nobody", "everybody") if any(f"flagging_{kind}" in one for one in targets.values())
    ]
    rows = [
        (
            _name(name),
            leaf_text(entry["target"]),
            leaf_text({key: entry[key] for key in ("value", "low", "high")}),
            entry.get("sentence") or _told(name, entry, _shipped(found)),
            *(leaf_text(entry.get(f"flagging_{kind}")) for kind in idle),
            *(leaf_text(allowed[model]["figures"].get(name)) for model in _MODELS if model in allowed),
        )
        for name, entry in targets.items()
    ]
    header = (
        "target",
        "wanted",
        "reached on test",
        "verdict",
        *(f"flagging {kind}" for kind in idle),
        *(title for model, title in _MODELS.items() if model in allowed),
    )
    return Table("Targets", header, tuple(rows))


def _told(name: str, entry: Mapping[str, Any], shipped: Mapping[str, Any]) -> str:
    """Return the verdict of a bundle of an earlier release, which did not say whether flagging nobody does as well."""
    nobody = shipped.get("figures", {}).get(f"{name}_flagging_nobody", {}).get("value")
    if entry["verdict"] == "met" and nobody is not None and nobody >= entry["target"]:
        return f"met, but so does flagging nobody ({nobody:.3f})"
    return str(entry["verdict"])


def _rules(found: Mapping[str, Any]) -> Table | None:
    rules = found.get("policies")
    if not rules:
        return None
    shown = [name for name in _RULES if any(name in rule["figures"] for rule in rules.values())]
    rows = [
        (
            words(mode) + (" (shipped)" if rule["shipped"] else "") + _instead(rule),
            leaf_text(rule["value"]),
            *(leaf_text(rule["figures"].get(name)) for name in shown),
        )
        for mode, rule in rules.items()
    ]
    rows += [
        (f"flagging {kind}", "", *(leaf_text(figures.get(name)) for name in shown))
        for kind, figures in found.get("idle", {}).items()
    ]
    header = ("rule", "threshold", *(_name(name) for name in shown))
    return Table("Threshold rules, chosen on validation, judged on test", header, tuple(rows))


def _instead(rule: Mapping[str, Any]) -> str:
    """Return what a rule did that could not have what it asks for, to stand behind its name."""
    told = RULES_INSTEAD.get(rule.get("rule", ""))
    return "" if told is None else f"; {told}"


def _segments(found: Mapping[str, Any]) -> Table | None:
    report = found.get("segments")
    if not report:
        return None
    shown = [
        name
        for name in _OF_SEGMENTS
        if any(name in entry.get("overall", {}) for entry in report["segments"].values())
    ]
    shipped = leaf_text(_shipped(found)["value"]) if _shipped(found) else "-"
    rows = []
    for name, entry in report["segments"].items():
        few = " (few)" if entry.get("few_events") else ""
        counts = f"{entry['events']:,} / {entry['rows']:,}{few}"
        ratio = leaf_text(observed_to_expected(entry.get("calibration_ratio")))
        overall = entry.get("overall", {})
        rows.append(
            (
                words(name),
                counts,
                f"{shipped} (shipped)",
                *(leaf_text(overall.get(key)) for key in shown),
                ratio,
            )
        )
        if "own" in entry:
            own = entry["own"]
            threshold = f"{leaf_text(entry['threshold'])} (its own)"
            rows.append((words(name), counts, threshold, *(leaf_text(own.get(key)) for key in shown), ratio))
    together = report.get("all_rows", {})
    rows.append(("all", "", "each its own", *(leaf_text(together.get(key)) for key in shown), ""))
    header = (
        report["feature"],
        "events / rows",
        "threshold",
        *(_name(key) for key in shown),
        "observed / expected",
    )
    caption = (
        "By segment: the shipped threshold, and the one that validation would choose for the segment alone, which is "
        "not shipped; where events are few there is none, and intervals are wide"
    )
    return Table(caption, header, tuple(rows))


def _name(figure: str) -> str:
    return _LABELS.get(figure, words(figure))


def _bands(found: Mapping[str, Any]) -> Table | None:
    bands = found.get("score_bands")
    if not bands:
        return None
    rows = [
        (
            f"{band['from']} to {band['to']}",
            f"{band['rows']:,}",
            f"{100 * band['predicted']:.1f}",
            f"{100 * band['observed']:.1f} ({100 * band['low']:.1f} to {100 * band['high']:.1f})",
        )
        for band in bands
    ]
    return Table(
        "Does a score mean what it says?",
        ("probability times 100", "rows", "mean said, in 100", "events that came, in 100"),
        tuple(rows),
    )
