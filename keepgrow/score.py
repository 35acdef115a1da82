"""`keepgrow score`: all accounts as of a day, from offline features into Parquet; complete or not there."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from keepgrow.options import BATCH_ROWS, LOOK_BACK, FeaturesFolder, Model, VerificationFile
from keepgrow.processes import terminate_like_interrupt
from keepgrow.score_trend import push_earlier
from serving.batch.offline import OfflineFeatures
from serving.batch.score_table import score_table, score_table_schema
from serving.batch.trend import churn_probabilities
from serving.bundle.loader import load_bundle
from serving.bundle.store import MODEL_NAME, find_bundle
from serving.configured import fitting_policy
from serving.decisions.catalogue import load_catalogue
from serving.errors import ServingError
from serving.pids import is_running
from serving.scoring.trend import TREND_DAYS
from serving.scoring.verification.compiled import verified_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from keepgrow.processes import Interruption
    from serving.bundle.loader import Bundle
    from serving.decisions.catalogue import Catalogue
    from serving.decisions.policy.compiled import Policy

STOPPED = 130
ROWS_A_FILE = 500_000
SUMMARY_FILE = "_summary.json"
OLD = "-old"

console = Console(highlight=False, soft_wrap=True)


class OutputExistsError(ServingError):
    """There is something where the scores should go."""


def score(
    as_of: Annotated[
        dt.datetime, typer.Option(formats=["%Y-%m-%d"], help="Day (UTC) at whose end accounts are scored.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to make; it appears when it is complete.")],
    features: FeaturesFolder,
    model: Model = MODEL_NAME,
    catalogue: Annotated[
        Path | None, typer.Option(envvar="KEEPGROW_CATALOGUE", help="File with plans and actions.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(envvar="KEEPGROW_POLICY", help="File with the rules for actions.")
    ] = None,
    verification: VerificationFile = None,
    batch_rows: Annotated[int, typer.Option(min=1, help="Accounts held in memory at a time.")] = BATCH_ROWS,
    look_back_days: Annotated[
        int, typer.Option(min=1, help="Accounts whose newest features are older are not scored.")
    ] = LOOK_BACK.days,
    *,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Add the ends of each probability's 90 % interval.")
    ] = False,
    outlook: Annotated[
        bool,
        typer.Option(
            "--outlook", help="Add trajectory, money at stake, time to close and intervention window."
        ),
    ] = False,
    trend: Annotated[
        bool,
        typer.Option("--trend", help="Add how each risk has changed, by the features of 30 days earlier."),
    ] = False,
    push_trend: Annotated[
        bool,
        typer.Option(
            "--push-trend",
            help="Bring those earlier risks to the online store (REDIS_URL) too, for the service's trends.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option(help="Replace what is there; it stays until the new one is complete.")
    ] = False,
) -> None:
    """Score all accounts from the offline features into Parquet."""
    if push_trend and not trend:
        raise typer.BadParameter("there is no trend to bring without --trend", param_hint="--push-trend")
    if out.exists() and not force and (not out.is_dir() or any(out.iterdir())):
        raise OutputExistsError(f"{out}: already there; choose another folder, or --force to replace it")
    bundle = verified_by(verification, load_bundle(find_bundle(model)))
    plans = load_catalogue(catalogue)
    rules = fitting_policy(policy, plans, bundle)
    now = as_of.replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
    look_back = dt.timedelta(days=look_back_days)
    score_batch = functools.partial(
        score_table,
        bundle=bundle,
        catalogue=plans,
        policy=rules,
        now=now,
        intervals=intervals,
        outlook=outlook,
    )
    schema = score_table_schema(bundle.manifest, intervals=intervals, outlook=outlook, trend=trend)
    source = OfflineFeatures(features, bundle.manifest.contract, now, look_back)
    try:
        with terminate_like_interrupt() as interruption, _appearing(out) as folder:
            earlier = _earlier(features, bundle, now, look_back, batch_rows) if trend else None
            score_batch = functools.partial(score_batch, earlier=earlier)
            tiers, actions, left_out = _write(source, score_batch, schema, folder, batch_rows, interruption)
            _summarise(folder, bundle, plans, rules, now, tiers, actions, left_out)
    except KeyboardInterrupt:
        console.print("\nStopped; nothing was written. What was there before is as it was.")
        raise SystemExit(STOPPED) from None
    if push_trend:
        brought = push_earlier(earlier or {}, bundle.tag, now, features)
        console.print(f"{brought:,} earlier scores are in the online store")
    total = sum(tiers.values())
    console.print(f"{out}: {total:,} accounts as of the end of {as_of:%Y-%m-%d} (UTC), by {bundle.tag}")
    console.print("  tiers    " + ", ".join(f"{name} {count:,}" for name, count in tiers.most_common()))
    console.print("  actions  " + ", ".join(f"{name} {count:,}" for name, count in actions.most_common()))
    if left_out:
        console.print(
            f"  left out {left_out:,} accounts whose newest features are over {look_back_days} days old"
        )


def _earlier(
    features: Path, bundle: Bundle, now: dt.datetime, look_back: dt.timedelta, batch_rows: int
) -> dict[str, float]:
    """Return what *bundle* says of the features of 30 days before *now*, by account."""
    source = OfflineFeatures(
        features, bundle.manifest.contract, now - dt.timedelta(days=TREND_DAYS), look_back
    )
    with source.opened() as con:
        return churn_probabilities(source.batches(con, batch_rows), bundle)


def _write(
    source: OfflineFeatures,
    score_batch: Callable[[pa.RecordBatch], pa.RecordBatch],
    schema: pa.Schema,
    folder: Path,
    batch_rows: int,
    interruption: Interruption,
) -> tuple[Counter[str], Counter[str], int]:
    """Write part files of *schema* into *folder*; return counts by tier, by action, and of those left out."""
    tiers: Counter[str] = Counter()
    actions: Counter[str] = Counter()
    spill = folder / ".spill"
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        contextlib.closing(source.connect(spill)) as con,
        Progress(*columns, console=console, transient=True) as progress,
        contextlib.ExitStack() as files,
    ):
        expected, left_out = source.count(con), source.left_out(con)
        task = progress.add_task("scoring", total=expected)
        writer, in_file, part = None, 0, 0
        for batch in source.batches(con, batch_rows):
            interruption.check()
            if writer is None or in_file >= ROWS_A_FILE:
                files.close()
                path = folder / f"part-{part:05d}.parquet"
                writer = files.enter_context(pq.ParquetWriter(path, schema, compression="zstd"))
                in_file, part = 0, part + 1
            scores = score_batch(batch)
            writer.write_batch(scores)
            in_file += scores.num_rows
            tiers.update(scores.column("churn_risk_tier").to_pylist())
            actions.update(name or "nothing" for name in scores.column("action_type").to_pylist())
            progress.advance(task, scores.num_rows)
    shutil.rmtree(spill, ignore_errors=True)
    total = sum(tiers.values())
    if total != expected:
        raise ServingError(
            f"{total} accounts were scored where {expected} have features; nothing was written"
        )
    return tiers, actions, left_out


def _summarise(
    folder: Path,
    bundle: Bundle,
    catalogue: Catalogue,
    policy: Policy,
    now: dt.datetime,
    tiers: Counter[str],
    actions: Counter[str],
    left_out: int,
) -> None:
    """Write the summary into *folder*."""
    summary = {
        "accounts": sum(tiers.values()),
        "accounts_left_out_as_too_old": left_out,
        "as_of": now.isoformat(),
        "model": bundle.tag,
        "feature_contract": bundle.manifest.contract_hash,
        "catalogue": catalogue.hash,
        "policy": policy.hash,
        "tiers": dict(tiers),
        "actions": dict(actions),
    }
    (folder / SUMMARY_FILE).write_text(json.dumps(summary, indent=2), encoding="utf-8")


@contextlib.contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """Give a hidden folder that becomes *out* when the context ends well, and vanishes otherwise."""
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name}.partial-"
    for left in out.parent.glob(f"{prefix}*"):
        maker = left.name.removeprefix(prefix).partition("-")[0]
        if maker.isdigit() and is_running(int(maker)):
            continue
        if left.name.endswith(OLD) and not out.exists():
            left.rename(out)  # a run was killed between its two renames
        else:
            shutil.rmtree(left, ignore_errors=True)
    partial = out.parent / f"{prefix}{os.getpid()}"
    partial.mkdir()
    try:
        yield partial
        old = out.parent / f"{prefix}{os.getpid()}{OLD}"
        if out.exists():
            out.rename(old)
        partial.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
