"""Sections of the card on kinds of accounts: how a head does on each, gaps between them, and what upsets it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from training.card.ablation_section import signed_text
from training.card.sections import Block, Section, Table, leaf_text, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MEASURES = {
    "selection": (
        "Flagged as often",
        "share of the slice that is flagged over that of all others",
    ),
    "equal_opportunity": (
        "Found as often",
        "recall in the slice less recall in all others",
    ),
    "calibration": (
        "Told as rightly",
        "mean probability less event rate in the slice, less the same of all others",
    ),
}
_VERDICTS = {"too_few": "too few to tell"}
_HEADER = ("slice", "gap", "verdict")


def scrutiny_sections(metrics: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the sections on slices, fairness and robustness, as far as they stand in *metrics*."""
    made = []
    slices: Mapping[str, Any] = metrics.get("slices") or {}
    if slices:
        text = (
            "Test rows by kind of account. Observed / expected is the number of events that came over the number "
            "expected: 1 is right, above 1 more came than the model said. An asterisk marks a slice with too few "
            "accounts or events to judge by."
        )
        tables = [_slices(head, found) for head, found in slices.items()]
        made.append(Section("Slices", (Block(text=text), *tables)))
        if any(found.get("gaps") for found in slices.values()):
            blocks = [block for head, found in slices.items() for block in _gaps(head, found)]
            made.append(Section("Fairness: gaps between a slice and all others", (_gaps_text(), *blocks)))
    robust: Mapping[str, Any] = metrics.get("robustness") or {}
    if robust:
        blocks = [block for head, found in robust.items() for block in _robustness(head, found)]
        made.append(Section("Robustness: missing views and noise", tuple(blocks)))
    return tuple(made)


def _title(head: str, found: Mapping[str, Any]) -> str:
    return f"{head.capitalize()}, within {str(found.get('horizon', '')).replace('d', ' days')}"


def _slices(head: str, found: Mapping[str, Any]) -> Block:
    named = [("all accounts", found["overall"])]
    named += [
        (f"{words(column)}: {words(one['slice'])}", one)
        for column, entries in found["columns"].items()
        for one in entries
    ]
    rows = [
        (
            name + ("*" if one["small"] else ""),
            f"{one['events']:,} / {one['rows']:,}",
            leaf_text(one["roc_auc"]),
            leaf_text(one["observed_to_expected"]),
            leaf_text(one["selection_rate"]),
            leaf_text(one["recall"]),
        )
        for name, one in named
    ]
    header = ("slice", "events / rows", "ROC AUC", "observed / expected", "share flagged", "recall")
    return Block(heading=_title(head, found), table=Table("", header, tuple(rows)))


def _gaps_text() -> Block:
    asked = "; ".join(f"{name.lower()}: {meaning}" for name, meaning in _MEASURES.values())
    return Block(
        text=(
            f"Three questions are asked of every slice. {asked[0].upper()}{asked[1:]}. A gap is beyond its limit only "
            "when its whole interval lies there, and doubtful when only the value does; intervals are widened so that "
            "all of them hold together. One marked “refuses” stops `keepgrow promote`; "
            "the others are shown, as risk does differ between such accounts."
        )
    )


def _gaps(head: str, found: Mapping[str, Any]) -> list[Block]:
    gaps: Sequence[Mapping[str, Any]] = found.get("gaps") or ()
    if not gaps:
        return []
    counts = Counter(str(gap["verdict"]) for gap in gaps)
    told = ", ".join(
        f"{counts[verdict]} {_VERDICTS.get(verdict, verdict)}"
        for verdict in ("within", "doubtful", "beyond", "too_few")
        if counts[verdict]
    )
    blocks = [
        Block(heading=_title(head, found), text=f"{len(gaps)} gaps: {told}."),
        *(Block(text=f"Not measured by {told}.") for told in _unmeasured(found.get("not_measured") or ())),
    ]
    outside = [gap for gap in gaps if gap["verdict"] in {"beyond", "doubtful"}]
    if outside:
        rows = tuple((f"{_asked(gap)[0]}, {_slice(gap)}", _text(gap), _verdict(gap)) for gap in outside)
        blocks.append(Block(table=Table("Gaps whose value lies outside its limit", _HEADER, rows)))
    for measure in dict.fromkeys(str(gap["measure"]) for gap in gaps):
        mine = [gap for gap in gaps if gap["measure"] == measure]
        low, high = mine[0]["limit"]
        name, meaning = _asked(mine[0])
        table = Table(
            f"All {len(mine)} of “{name.lower()}”: {meaning}; limits {low:g} to {high:g}",
            _HEADER,
            tuple((_slice(gap), _text(gap), _verdict(gap)) for gap in mine),
        )
        blocks.append(Block(table=table, folded=True))
    return blocks


def _unmeasured(told: Sequence[Mapping[str, Any]] | dict[str, str]) -> list[str]:
    """Return column, measures and reason of each; bundles of earlier releases tell no measures."""
    if isinstance(told, dict):
        return [f"{words(column)}: {why}" for column, why in told.items()]
    return [
        f"{words(one['column'])} ({', '.join(_asked({'measure': name})[0].lower() for name in one['measures'])}): "
        f"{one['why']}"
        for one in told
    ]


def _asked(gap: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of what a gap measures, and what it is."""
    measure = str(gap["measure"])
    return _MEASURES.get(measure, (words(measure).capitalize(), words(measure)))


def _slice(gap: Mapping[str, Any]) -> str:
    return f"{words(gap['column'])}: {words(gap['slice'])}"


def _verdict(gap: Mapping[str, Any]) -> str:
    verdict = str(gap["verdict"])
    stops = verdict == "beyond" and gap.get("refuses")
    return _VERDICTS.get(verdict, verdict) + (" (refuses)" if stops else "")


def _text(gap: Mapping[str, Any]) -> str:
    if gap["measure"] != "selection":
        return signed_text(dict(gap), 3)
    return f"{gap['value']:.2f} ({gap['low']:.2f} to {gap['high']:.2f})"


def _robustness(head: str, found: Mapping[str, Any]) -> list[Block]:
    noise = found["noise"]
    text = (
        f"ROC AUC is {leaf_text(found['roc_auc'])}. With noise of {noise['ratio']:.0%} on every number it falls by "
        f"{signed_text(noise['roc_auc_drop'], 3).lstrip('+')}, and a probability moves by "
        f"{noise['mean_abs_probability_change']:.3f} on average."
    )
    if noise.get("numbers_changed") is not None and noise.get("counts_changed") is not None:
        text += (
            f" The noise changed {noise['numbers_changed']:.0%} of the known numbers and "
            f"{noise['counts_changed']:.0%} of the known counts: every number is multiplied by 1 plus a normal draw, "
            "and of counts as large a share is also lost, and as much booked on accounts drawn at random."
        )
    text += " The table blanks one view at a time in the shipped model, as when a source of data fails."
    rows = tuple(
        (
            one["view"],
            f"{one['features']}",
            signed_text(one["roc_auc_drop"], 3),
            f"{one['mean_abs_probability_change']:.3f}",
        )
        for one in found["missing_views"]
    )
    header = ("missing view", "features", "fall in ROC AUC", "mean move of probability")
    return [Block(heading=_title(head, found), text=text), Block(table=Table("", header, rows))]
