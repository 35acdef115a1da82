"""Gates that put the candidate beside the champion, and its graph beside what was trained and exported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from training.errors import PromotionError
from training.evaluation.bootstrap import Estimate
from training.evaluation.compare import compare_on, compare_reports
from training.evaluation.timing import has_further, switches, time_further, time_graphs
from training.promotion.gate import Gate, shown, signed

_DIFFERENCES = 2  # of ROC AUC and of log loss
_SHOWN_DIGEST = len("sha256:") + 12

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.bundle.manifest import Manifest
    from training.evaluation.compare import Difference, OpenBundle
    from training.limits import Limits
    from training.promotion.gate import Candidate, JudgedHead, Verdict


def comparison_gate(candidate: Candidate, head: str, days: int, limits: Limits, *, heads: int) -> Gate:
    """Not worse than the champion beyond noise; where there is none, better than chance.

    Args:
        candidate: The bundle, and what it is compared with.
        head: Head.
        days: Horizon.
        limits: Limits.
        heads: How many heads and horizons are compared; intervals hold over the differences of all of them.
    """
    subject, rules = f"{head} {days}d", limits.comparison
    if candidate.champion is None:
        return _against_chance(candidate, head, days, "there is no champion yet")
    if not _predicts(candidate.champion, head, days):
        why = f"{candidate.champion.tag}, the champion, does not predict it"
        return _against_chance(candidate, head, days, why)
    try:
        found = _difference(candidate, candidate.champion, head, days, limits, heads * _DIFFERENCES)
    except PromotionError as error:
        return Gate("not worse", subject, "-", "-", "not measured", str(error))
    worse = found.roc_auc.high < -rules.max_auc_loss or found.log_loss.low > rules.max_log_loss_rise
    return Gate(
        "not worse",
        subject,
        f"AUC {signed(found.roc_auc)}, log loss {signed(found.log_loss)}",
        f"AUC not surely under {0.0 - rules.max_auc_loss:+g}, log loss not surely over {rules.max_log_loss_rise:+g}",
        "refused" if worse else "passed",
        "; ".join(
            part
            for part in (
                f"against {candidate.champion.tag} on {found.rows} rows of {found.accounts} accounts",
                found.note,
            )
            if part
        ),
    )


def _difference(
    candidate: Candidate, champion: OpenBundle, head: str, days: int, limits: Limits, comparisons: int
) -> Difference:
    why = "the candidate's test rows were not kept"
    if candidate.rows is not None:
        try:
            return compare_on(
                candidate.rows,
                candidate.bundle,
                champion,
                head,
                days,
                samples=limits.samples,
                seed=candidate.seed,
                comparisons=comparisons,
            )
        except PromotionError as error:
            why = str(error)
    found = compare_reports(candidate.bundle.manifest, champion.manifest, head, days, comparisons=comparisons)
    return replace(found, note=f"{found.note}: {why}")


def _predicts(bundle: OpenBundle, head: str, days: int) -> bool:
    return any(one.name == head and days in one.horizons_days for one in bundle.manifest.heads)


def _against_chance(candidate: Candidate, head: str, days: int, why: str) -> Gate:
    report = (
        candidate.bundle.manifest.metrics.get("heads", {})
        .get(head, {})
        .get("horizons", {})
        .get(f"{days}d", {})
    )
    auc = Estimate.from_dict(report.get("models", {}).get("keepgrow", {}).get("metrics", {}).get("roc_auc"))
    subject, limit = f"{head} {days}d", "AUC surely over 0.5"
    if auc is None:
        return Gate("not worse", subject, "-", limit, "not measured", "the bundle reports no AUC")
    return Gate(
        "not worse",
        subject,
        f"AUC {shown(auc)}",
        limit,
        "passed" if auc.low > 0.5 else "refused",  # noqa: PLR2004 -- chance
        f"{why}; compared with chance",
    )


def parity_gate(candidate: Candidate, judged: dict[str, JudgedHead], limits: Limits) -> Gate:
    """Refuse a graph that does not say what LightGBM said, at export or on the recorded test rows now."""
    told, rules = candidate.bundle.manifest.parity, limits.parity
    largest, note = told.max_abs_difference, f"{told.rows} rows at export"
    if judged:
        now = max(float(np.abs(one.probability - one.recorded).max(initial=0.0)) for one in judged.values())
        largest = max(largest, now)
        note += f"; the graph gives the recorded test predictions within {now:.1e}"
    held = largest <= rules.max_abs_difference and told.rows >= rules.min_rows
    return Gate(
        "in parity",
        "bundle",
        f"{largest:.1e} on {told.rows} rows",
        f"at most {rules.max_abs_difference:.0e} on {rules.min_rows} rows or more",
        "passed" if held else "refused",
        note,
    )


def graph_gate(candidate: Candidate) -> Gate:
    """Refuse a graph that is not the one whose hash the exporter wrote into the manifest."""
    told, found = candidate.bundle.manifest.graph_hash, candidate.bundle.graph_hash
    limit = f"the manifest's {_shortened(told)}"
    if told is None:
        note = "the bundle is of a release that wrote no hash of the graph; train it again"
        return Gate("as exported", "bundle", _shortened(found), "-", "not measured", note)
    if told != found:
        note = "the file bundle.onnx was changed after it was exported and checked"
        return Gate("as exported", "bundle", _shortened(found), limit, "refused", note)
    return Gate("as exported", "bundle", _shortened(found), limit, "passed")


def outlook_parity_gate(candidate: Candidate, limits: Limits) -> Gate | None:
    """Refuse intervals and outlook that export did not compare, or found to differ; None if there are none."""
    manifest, rules = candidate.bundle.manifest, limits.parity
    of_heads = {name for head in manifest.heads for name in (head.output, head.contributions_output)}
    outputs = [one.name for one in candidate.bundle.session.get_outputs() if one.name not in of_heads]
    if not outputs:
        return None
    told = manifest.metrics.get("outlook_parity", {})
    largest, rows = told.get("largest", {}), int(told.get("rows", 0))
    limit = f"at most {rules.max_abs_difference:.0e} on {rules.min_outlook_rows} rows or more"
    missing = [name for name in outputs if largest.get(name) is None]
    if missing:
        note = f"export did not compare {', '.join(missing)} with the trained models"
        return Gate("outlook in parity", "bundle", "-", limit, "not measured", note)
    worst = max(outputs, key=lambda name: float(largest[name]))
    held = largest[worst] <= rules.max_abs_difference and rows >= rules.min_outlook_rows
    return Gate(
        "outlook in parity",
        "bundle",
        f"{largest[worst]:.1e} on {rows} rows",
        limit,
        "passed" if held else "refused",
        f"{len(outputs)} outputs at export, the largest difference in {worst}",
    )


def loss_gate(candidate: Candidate) -> Gate:
    """Refuse a bundle that no longer says what the champion says, until somebody says why."""
    subject, limit = "bundle", "all that the champion says"
    if candidate.champion is None:
        return Gate("nothing lost", subject, "-", limit, "passed", "there is no champion yet")
    ours, theirs = _said(candidate.bundle.manifest), _said(candidate.champion.manifest)
    lost = [name for name in theirs if name not in ours]
    if not lost:
        return Gate("nothing lost", subject, f"{len(ours)} outputs", limit, "passed")
    value = "lacks " + ", ".join(lost)
    if candidate.explanation:
        return Gate("nothing lost", subject, value, limit, "explained", candidate.explanation)
    note = "see why training left it out; if that is right, say why with --explain"
    return Gate("nothing lost", subject, value, limit, "refused", note)


def _said(manifest: Manifest) -> list[str]:
    """Return in words what a bundle can be asked."""
    found = [f"{head.name} {days}d" for head in manifest.heads for days in head.horizons_days]
    found += [f"{head.name} interval" for head in manifest.heads if head.low_output is not None]
    if manifest.winback is not None:
        told = manifest.winback.head
        found += [f"win-back {days}d" for days in told.horizons_days]
        found += ["win-back interval"] if told.low_output is not None else []
    if manifest.long_horizon is not None:
        found.append(f"{manifest.long_horizon.head} {manifest.long_horizon.days}d")
    found += ["amount"] if manifest.amount is not None else []
    found += ["trajectory"] if manifest.trajectory is not None else []
    columns = () if manifest.effects is None else manifest.effects.columns
    return found + [f"effect of {one.action} ({one.outcome})" for one in columns]


def speed_gate(candidate: Candidate, limits: Limits, clock: Callable[[], float]) -> Gate:
    """Refuse a graph that takes longer than the champion's by more than the limit."""
    timing = time_graphs(candidate.bundle, candidate.champion, clock)
    limit = f"at most {limits.speed.max_ratio:g} times the champion's"
    if timing.ratio is None:
        note = "there is no champion yet to be slower than"
        return Gate("not slower", "bundle", f"{timing.candidate_us:.0f} us a call", limit, "passed", note)
    return Gate(
        "not slower",
        "bundle",
        f"{timing.ratio:.2f} times ({timing.candidate_us:.0f} against {timing.champion_us:.0f} us a call)",
        limit,
        "passed" if timing.ratio <= limits.speed.max_ratio else "refused",
        "one account with contributions, both graphs in turns",
    )


def outlook_speed_gate(candidate: Candidate, limits: Limits, clock: Callable[[], float]) -> Gate | None:
    """Refuse intervals and outlook that take longer than the champion's by more than the limit; None if there are none.

    Where the champion has others, or there is no champion, they are timed against a call without.
    """
    if not has_further(candidate.bundle):
        return None
    champion, rules = candidate.champion, limits.speed
    if champion is not None and switches(champion) == switches(candidate.bundle):
        timing = time_graphs(candidate.bundle, champion, clock, further=True)
        ratio, limit = timing.ratio or 0.0, rules.max_outlook_over_champion
        value = f"{ratio:.2f} times ({timing.candidate_us:.0f} against {timing.champion_us:.0f} us a call)"
        against, note = (
            "the champion's",
            "one account with reasons, intervals and outlook, both graphs in turns",
        )
    else:
        ratio, limit = time_further(candidate.bundle, clock), rules.max_outlook_over_core
        value, against = f"{ratio:.1f} times a call without", "a call without"
        note = "one account with reasons, intervals and outlook, against reasons alone"
    verdict: Verdict = "passed" if ratio <= limit else "refused"
    return Gate("outlook not slow", "bundle", value, f"at most {limit:g} times {against}", verdict, note)


def _shortened(digest: str | None) -> str:
    return "-" if digest is None else digest[:_SHOWN_DIGEST]
