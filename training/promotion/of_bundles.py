"""Gates that put the candidate beside the champion: not worse, not slower; and in parity with its own LightGBM."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from training.errors import PromotionError
from training.evaluation.compare import compare_on, compare_reports
from training.evaluation.timing import time_further, time_graphs
from training.promotion.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.evaluation.bootstrap import Estimate
    from training.evaluation.compare import Difference, OpenBundle
    from training.limits import Limits
    from training.promotion.gate import Candidate, JudgedHead


def comparison_gate(candidate: Candidate, head: str, days: int, limits: Limits) -> Gate:
    """Not worse than the champion beyond noise; where there is none, better than chance."""
    subject, rules = f"{head} {days}d", limits.comparison
    if candidate.champion is None:
        return _against_chance(candidate, head, days)
    try:
        found = _difference(candidate, candidate.champion, head, days, limits)
    except PromotionError as error:
        return Gate("not worse", subject, "-", "-", "not measured", str(error))
    worse = found.roc_auc.high < -rules.max_auc_loss or found.log_loss.low > rules.max_log_loss_rise
    return Gate(
        "not worse",
        subject,
        f"AUC {_signed(found.roc_auc)}, log loss {_signed(found.log_loss)}",
        f"AUC not surely under {-rules.max_auc_loss:+g}, log loss not surely over {rules.max_log_loss_rise:+g}",
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
    candidate: Candidate, champion: OpenBundle, head: str, days: int, limits: Limits
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
            )
        except PromotionError as error:
            why = str(error)
    found = compare_reports(candidate.bundle.manifest, champion.manifest, head, days)
    return replace(found, note=f"{found.note}: {why}")


def _against_chance(candidate: Candidate, head: str, days: int) -> Gate:
    report = (
        candidate.bundle.manifest.metrics.get("heads", {})
        .get(head, {})
        .get("horizons", {})
        .get(f"{days}d", {})
    )
    auc = report.get("models", {}).get("keepgrow", {}).get("metrics", {}).get("roc_auc") or {}
    subject, limit = f"{head} {days}d", "AUC surely over 0.5"
    if auc.get("low") is None:
        return Gate("not worse", subject, "-", limit, "not measured", "the bundle reports no AUC")
    return Gate(
        "not worse",
        subject,
        f"AUC {auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]",
        limit,
        "passed" if auc["low"] > 0.5 else "refused",  # noqa: PLR2004 -- chance
        "there is no champion yet; compared with chance",
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
    """Refuse a graph whose intervals and outlook take far longer than its probabilities; None if it has neither."""
    ratio = time_further(candidate.bundle, clock)
    if ratio is None:
        return None
    return Gate(
        "outlook not slow",
        "bundle",
        f"{ratio:.1f} times a call without",
        f"at most {limits.speed.max_outlook_ratio:g} times",
        "passed" if ratio <= limits.speed.max_outlook_ratio else "refused",
        "one account with reasons, intervals and outlook, against reasons alone",
    )


def _signed(figure: Estimate) -> str:
    return f"{figure.value:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]"
