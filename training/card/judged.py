"""What was judged of a head and horizon besides its ranking: targets, threshold rules, segments, scores, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.sections import Table, leaf_text, words

if TYPE_CHECKING:
    from collections.abc import Mapping

_RULES = (
    "precision",
    "recall",
    "f1",
    "flagged_ratio",
    "revenue_protection_accuracy",
    "revenue_recall",
    "value_per_account",
)
_LABELS = {
    "f1": "F1",
    "flagged_ratio": "flagged",
    "revenue_protection_accuracy": "MRR classified correctly",
    "revenue_recall": "of the MRR with an event, flagged",
    "value_per_account": "value an account",
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
        said.append(
            "Revenue-protection accuracy is the share of the tested accounts' MRR that is classified correctly; "
            f"flagging nobody reaches {nobody:.1%}, so read it beside the share of the MRR with an event that was "
            "flagged."
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


def _shipped(found: Mapping[str, Any]) -> Mapping[str, Any]:
    rules: Mapping[str, Mapping[str, Any]] = found.get("policies", {})
    return next((rule for rule in rules.values() if rule["shipped"]), {})


def _targets(found: Mapping[str, Any], ceiling: Mapping[str, Any]) -> Table | None:
    targets = found.get("targets")
    if not targets:
        return None
    mode = next((name for name, rule in found["policies"].items() if rule["shipped"]), "")
    truth = ceiling.get("policies", {}).get(mode, {}).get("truth", {}).get("figures", {})
    rows = [
        (
            words(name).replace("f1", "F1"),
            leaf_text(entry["target"]),
            leaf_text({key: entry[key] for key in ("value", "low", "high")}),
            entry["verdict"],
            *([leaf_text(truth[name])] if truth else []),
        )
        for name, entry in targets.items()
    ]
    header = (
        "target",
        "wanted",
        "reached on test",
        "verdict",
        *(["by the truth, same rule"] if truth else []),
    )
    return Table("Targets", header, tuple(rows))


def _rules(found: Mapping[str, Any]) -> Table | None:
    rules = found.get("policies")
    if not rules:
        return None
    shown = [name for name in _RULES if any(name in rule["figures"] for rule in rules.values())]
    rows = [
        (
            words(mode) + (" (shipped)" if rule["shipped"] else ""),
            leaf_text(rule["value"]),
            *(leaf_text(rule["figures"].get(name)) for name in shown),
        )
        for mode, rule in rules.items()
    ]
    header = ("rule", "threshold", *(_LABELS.get(name, words(name)) for name in shown))
    return Table("Threshold rules, chosen on validation, judged on test", header, tuple(rows))


def _segments(found: Mapping[str, Any]) -> Table | None:
    report = found.get("segments")
    if not report:
        return None
    rows = []
    for name, entry in report["segments"].items():
        figures = entry.get("own") or entry.get("overall") or {}
        rows.append(
            (
                words(name),
                f"{entry['events']:,} / {entry['rows']:,}",
                f"{entry['threshold']:.3g} ({entry['source']})",
                *(leaf_text(figures.get(key)) for key in ("precision", "recall", "f1")),
                leaf_text(entry.get("calibration_ratio")),
            )
        )
    header = (
        report["feature"],
        "events / rows",
        "threshold",
        "precision",
        "recall",
        "F1",
        "predicted / observed",
    )
    return Table("By segment; a dash where the test holds too few events", header, tuple(rows))


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
