"""The card's section on what each view of features is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.sections import Block, Section, Table, leaf_text

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE = "Ablations: what each view is worth"
_NOT_MEASURED = (
    "Not measured: this bundle was trained by an earlier release. Train it again (`keepgrow train`) to "
    "measure it."
)
_VERDICTS = {"missed": "earns its place", "even": "no sure difference"}


def ablation_section(metrics: Mapping[str, Any]) -> Section:
    """Return what leaving each view out comes to, or that it was not measured."""
    found = metrics.get("ablations")
    if not found or "heads" not in found:
        return Section(TITLE, (Block(text=(found or {}).get("unmeasured", _NOT_MEASURED)),))
    absent = ", ".join(found["absent"])
    text = (
        "Each head was boosted again without one view of features at a time, on "
        f"{found['fitted_rows']:,} training rows of {found['fitted_accounts']:,} accounts, and compared on test rows "
        "with the same model of all views. A fall in ROC AUC or a rise in log loss says that the view is missed. "
        f"Intervals are of the difference, over {found['samples']} resamples of accounts. A view without a sure "
        "difference may still say the same as others do: it counts for accounts where those are absent. Both models "
        "are fitted to the training part without the final fit, so their figures are a little below those of the "
        "shipped heads."
    )
    if absent:
        text += f" No feature of these views varies in the data, so that nothing could be measured: {absent}."
    return Section(TITLE, (Block(text=text), *(_head(name, one) for name, one in found["heads"].items())))


def _head(name: str, found: Mapping[str, Any]) -> Block:
    heading = f"{name.capitalize()}, within {found['horizon'].replace('d', ' days')}"
    if "views" not in found:
        return Block(heading=heading, text=found["unmeasured"])
    whole = {key: leaf_text(figure) for key, figure in found["whole"].items()}
    rows = (
        (f"all views ({found['features']})", whole["roc_auc"], whole["log_loss"], ""),
        *(
            (
                f"change without {one['view']} ({one['features']})",
                signed_text(one["roc_auc"], 3),
                signed_text(one["log_loss"], 4),
                _VERDICTS.get(one["verdict"], one["verdict"]),
            )
            for one in found["views"]
        ),
    )
    header = ("views (features)", "ROC AUC", "log loss", "verdict")
    return Block(heading=heading, table=Table("", header, rows))


def signed_text(figure: Mapping[str, float | None], digits: int) -> str:
    """Return a difference with its sign and interval; a dash where it is undefined."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return "-"
    told = f"{value:+.{digits}f}"
    return told if low is None or high is None else f"{told} ({low:+.{digits}f} to {high:+.{digits}f})"
