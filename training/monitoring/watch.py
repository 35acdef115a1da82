"""Compares a bundle's accounts of now with its test rows, and says whether it is due to be trained again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.monitoring.drift import FeatureDrift, feature_drift
from training.monitoring.expected import Expected, expected_performance
from training.monitoring.findings import HeadWatch, Reason, ScoredRows, Watch
from training.monitoring.importance import SignalChange, signal_changes

if TYPE_CHECKING:
    from serving.bundle.manifest import Head, Manifest
    from training.evaluation.bootstrap import Estimate
    from training.monitoring.limits import MonitorLimits


def watch(
    manifest: Manifest,
    before: ScoredRows | None,
    now: ScoredRows,
    limits: MonitorLimits,
    *,
    age_days: int,
    seed: int,
) -> Watch:
    """Return what has changed since the bundle was judged, and whether it is due to be trained again.

    Args:
        manifest: The bundle's.
        before: Its test rows; None if they were not kept.
        now: The accounts of now.
        limits: Limits.
        age_days: Days since it was trained.
        seed: Of draws and resamples.
    """
    features = manifest.contract.model_features
    heads = _heads(manifest, before, now, limits, seed)
    drifted: tuple[FeatureDrift, ...] = ()
    changed: tuple[SignalChange, ...] = ()
    notes = []
    if before is None:
        notes.append("test rows were not kept beside the model store; drift and importance are not judged")
    elif now.accounts:
        drifted = feature_drift(
            [feature.name for feature in features],
            before.matrix,
            now.matrix,
            accounts_before=before.accounts,
            accounts_now=now.accounts,
        )
        changed = tuple(
            change
            for head in before.contributions
            if head in now.contributions
            for change in signal_changes(
                head,
                [feature.signal for feature in features],
                (before.contributions[head], before.account_id[before.explained]),
                (now.contributions[head], now.account_id[now.explained]),
                samples=limits.samples,
                seed=seed,
            )
        )
    reasons = []
    if age_days > limits.max_age_days:
        reasons.append(
            Reason("schedule", f"trained {age_days} days ago; at most {limits.max_age_days} are allowed")
        )
    if now.accounts < limits.fewest_rows:
        notes.append(f"{now.accounts} accounts; with fewer than {limits.fewest_rows} only age is judged")
    else:
        reasons += _changes(heads, drifted, changed, limits)
    return Watch(age_days, now.accounts, heads, drifted, changed, tuple(notes), tuple(reasons))


def _heads(
    manifest: Manifest, before: ScoredRows | None, now: ScoredRows, limits: MonitorLimits, seed: int
) -> tuple[HeadWatch, ...]:
    def expect(rows: ScoredRows, head: Head, index: int) -> Expected:
        return expected_performance(
            rows.probabilities[head.name][:, index],
            rows.account_id,
            threshold=head.thresholds.get(f"{head.horizons_days[index]}d"),
            samples=limits.samples,
            seed=seed,
        )

    found = []
    for head in manifest.heads:
        reported = manifest.metrics.get("heads", {}).get(head.name, {}).get("horizons", {})
        for index, days in enumerate(head.horizons_days):
            ours = reported.get(f"{days}d", {}).get("models", {}).get("keepgrow", {})
            found.append(
                HeadWatch(
                    head=head.name,
                    days=days,
                    threshold=head.thresholds.get(f"{days}d"),
                    tested=ours.get("metrics", {}),
                    on_test=None if before is None else expect(before, head, index),
                    expected=expect(now, head, index),
                )
            )
    return tuple(found)


def _changes(
    heads: tuple[HeadWatch, ...],
    drift: tuple[FeatureDrift, ...],
    importance: tuple[SignalChange, ...],
    limits: MonitorLimits,
) -> list[Reason]:
    found = []
    beyond = [one.feature for one in drift if one.beyond(limits.max_psi)]
    if len(beyond) >= limits.min_features_beyond:
        found.append(
            Reason(
                "drift",
                f"{len(beyond)} of {len(drift)} features are beyond a stability index of {limits.max_psi:g} "
                f"({limits.min_features_beyond} suffice): {', '.join(beyond[: limits.min_features_beyond])}",
            )
        )
    found += [
        Reason(
            "importance",
            f"{one.head}: the share of {one.signal} went from {one.before:.0%} to {one.now:.0%}, surely by more than "
            f"{limits.max_share_change:.0%}",
        )
        for one in importance
        if one.beyond(limits.max_share_change)
    ]
    found += [
        Reason(
            "expected performance",
            f"{one.head} {one.days}d: expected ROC AUC {_told(one.expected.roc_auc)} is surely more than "
            f"{limits.max_auc_drop:g} below {one.auc_to_hold:.3f} on test",
        )
        for one in heads
        if one.expected.roc_auc.high < one.auc_to_hold - limits.max_auc_drop
    ]
    return found


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
