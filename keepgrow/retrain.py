"""`keepgrow retrain`: monitors, trains if that is due, and asks the gates; made for a cron job."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from training.definitions import DEFAULT_FILE
from training.limits import LIMITS_FILE as GATES_FILE
from training.limits import load_limits
from training.monitoring.limits import LIMITS_FILE, load_monitor_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.bundle.store import StoredBundle

REFUSED = 4


def retrain(
    data: Annotated[Path, typer.Argument(help="Folder of raw tables; features must be built up to date.")],
    model: Annotated[
        str,
        typer.Option(envvar="KEEPGROW_MODEL", help="Tag of the bundle in use; `keepgrow` is the champion."),
    ] = "keepgrow",
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day (UTC) to look at; the newest built one if not given."),
    ] = None,
    limits: Annotated[Path, typer.Option(help="Limits (YAML) beyond which a bundle is due.")] = LIMITS_FILE,
    gates: Annotated[Path, typer.Option(help="Limits of the gates (YAML), as of `promote`.")] = GATES_FILE,
    definitions: Annotated[
        Path, typer.Option(help="Horizons, labels, split, tiers and thresholds (YAML), as of `train`.")
    ] = DEFAULT_FILE,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            envvar="KEEPGROW_CATALOGUE",
            help="Catalogue whose declared effects uplift is shrunk to, as of `train`.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Who is on record with --promote; the user of this machine if not given."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File to write what monitoring found to.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Train whether it is due or not.")] = False,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make the new bundle the champion if every gate lets it.")
    ] = False,
) -> None:
    """Train again if that is due, and ask the gates; exit code 0 if not due or done, 4 if the gates refuse."""
    from keepgrow.monitor import look
    from keepgrow.promote import promote as judge
    from keepgrow.train import train
    from serving.bundle.store import list_bundles

    console = Console(highlight=False, soft_wrap=True)
    rules, now = load_monitor_limits(limits), dt.datetime.now(dt.UTC)
    load_limits(gates)  # a mistake in the file is told now, not after the training
    if not force:
        if not look(data, model, as_of, rules, json_file, now=now).due:
            return
        wait = days_to_wait(list_bundles(), rules.min_days_between, now)
        if wait:
            console.print(
                f"[yellow]waiting[/] the newest bundle is less than {rules.min_days_between} days old; {wait} more, or "
                "--force"
            )
            return

    def train_it(tag_file: Path) -> None:
        train(
            data,
            definitions=definitions,
            catalogue=catalogue,
            with_views=views_read_by(model),
            tag_file=tag_file,
        )

    def judge_it(tag: str) -> None:
        judge(tag, limits=gates, by=by, dry_run=not promote)

    run(train_it, judge_it)


def views_read_by(model: str) -> str | None:
    """Return the opt-in views that the bundle *model* learnt from, as `train` takes them; None if there is none.

    What a training was once told holds for those after it.
    """
    from feature_repo.services import opted_into
    from serving.bundle.loader import read_manifest
    from serving.bundle.store import find_bundle
    from serving.errors import BundleError

    try:
        return ",".join(opted_into(read_manifest(find_bundle(model)).contract.feature_service))
    except BundleError:
        return None


def days_to_wait(bundles: tuple[StoredBundle, ...], between: int, now: dt.datetime) -> int:
    """Return in how many days training may run again; 0 if it may now.

    Without this a bundle that the gates refuse would be trained again every night, as the champion stays due.

    Args:
        bundles: Of the store, newest first.
        between: Days that must lie between two trainings.
        now: The time, aware.
    """
    return max(0, between - (now - bundles[0].created_at).days) if bundles else 0


def run(train: Callable[[Path], None], judge: Callable[[str], None]) -> None:
    """Train, then judge what was stored; exit code 4 if the gates refuse it.

    Args:
        train: Trains and writes the new bundle's tag to a file.
        judge: Judges the bundle of a tag; leaves by `typer.Exit` if it is refused.
    """
    with tempfile.TemporaryDirectory(prefix="keepgrow-") as folder:
        file = Path(folder) / "tag.txt"
        train(file)
        tag = file.read_text(encoding="utf-8").strip()
    try:
        judge(tag)
    except typer.Exit as left:
        raise typer.Exit(REFUSED if left.exit_code else 0) from left
