"""The card's section on data and time: which rows were fitted, chosen by and tested on, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.sections import Block, Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.bundle.manifest import Manifest

_PARTS = {
    "train": "Train: trees are grown",
    "validation": "Validation: rounds, calibration, thresholds",
    "refit": "Final fit: what is shipped",
    "test": "Test: every figure below",
}
_CENSORED = (
    "That keeps apart the labels of the shortest horizon with its grace days. Longer horizons would reach further, so "
    "every part is labelled as on the day on which the next one begins: what became known only later is censored, "
    "neither an event nor none. So no label of one part is decided by what happened in the next."
)


def data_section(manifest: Manifest) -> Section:
    """Return data set, parts with their rows, accounts and events, what was withheld, and how parts are kept apart."""
    known: Mapping[str, Any] = manifest.metrics.get("data", {})
    window, provenance = manifest.window, manifest.provenance
    facts = [
        ("Data set", provenance.dataset + (" (synthetic)" if provenance.synthetic else "")),
        ("Features", f"{len(manifest.contract.model_features)}, each known at its cutoff"),
        ("Last day that labels read", window.label_end.isoformat()),
    ]
    withheld = known.get("withheld_accounts")
    if withheld is not None:
        facts.append(("Accounts withheld", f"{withheld:,}, whose consent to training is not given"))
    if known.get("featureless_rows"):
        facts.append(("Rows left out", f"{known['featureless_rows']:,} that no feature row matched"))
    return Section(
        "Data and time",
        (
            Block(facts=tuple(facts)),
            Block(
                text="Accounts are looked at on cutoff days; a row is one account at one cutoff.",
                table=_parts(manifest, known),
            ),
            *([Block(text=_refit(known["refit"]))] if _refitted(manifest) and "refit" in known else []),
            Block(
                text=f"Embargo: the last cutoff of a part and the first of the next lie {window.embargo_days} days "
                f"apart at least. {_CENSORED}"
            ),
        ),
    )


def _refitted(manifest: Manifest) -> bool:
    heads = manifest.metrics.get("heads", {}).values()
    return any(entry.get("training", {}).get("refitted", False) for entry in heads)


def _refit(found: Mapping[str, Any]) -> str:
    return (
        "What is shipped is the final fit: with as many trees as validation chose, fitted once more to all that was "
        f"known when the test began ({found['rows']:,} rows of {found['accounts']:,} accounts at cutoffs "
        f"{_span(found['cutoffs'])}, labelled as of {found['labelled_as_of']}). Figures on the test part are of this "
        "fit; no test cutoff was trained on."
    )


def _parts(manifest: Manifest, known: Mapping[str, Any]) -> Table:
    window = manifest.window
    spans = {"train": window.train, "validation": window.validation, "test": window.test}
    told = [one for name in _PARTS if (one := known.get(name))]
    if not told:
        rows = [
            (_PARTS[name], f"{first.isoformat()} to {last.isoformat()}")
            for name, (first, last) in spans.items()
        ]
        return Table("", ("part", "cutoffs"), tuple(rows))
    names = list(told[0]["events"])
    heads = {head.name: [key for key in names if key.startswith(f"{head.name}_")] for head in manifest.heads}
    horizons = {
        head: " / ".join(key.removeprefix(f"{head}_").removesuffix("d") for key in keys)
        for head, keys in heads.items()
    }
    shown = [
        (
            label,
            _span(found["cutoffs"]),
            found["labelled_as_of"],
            f"{found['rows']:,}",
            f"{found['accounts']:,}",
            *(" / ".join(f"{found['events'][key]:,}" for key in keys) for keys in heads.values()),
        )
        for name, label in _PARTS.items()
        if (found := known.get(name)) and (name != "refit" or _refitted(manifest))
    ]
    header = ("part", "cutoffs", "labelled as of", "rows", "accounts")
    events = tuple(f"{head} events within {days} days" for head, days in horizons.items())
    return Table("", (*header, *events), tuple(shown))


def _span(cutoffs: list[str]) -> str:
    return f"{cutoffs[0]} to {cutoffs[-1]}" if cutoffs else "-"
