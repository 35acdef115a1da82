"""`keepgrow monitor`: what can be told of a bundle before labels mature, and whether it is due for training."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from keepgrow.options import BATCH_ROWS, LOOK_BACK, Model
from training.monitoring.limits import LIMITS_FILE, MonitorLimits, load_monitor_limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle
    from training.monitoring.findings import ScoredRows, Watch

DUE = 3
ROWS_EXPLAINED = 1_000
TABLE_WIDTH = 180
ACTIVE = "has_active_subscription"


def monitor(
    data: Annotated[Path, typer.Argument(help="Folder of raw tables that the features were built from.")],
    model: Model = "keepgrow",
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day (UTC) to look at; the newest built one if not given."),
    ] = None,
    limits: Annotated[Path, typer.Option(help="Limits (YAML) beyond which a bundle is due.")] = LIMITS_FILE,
    json_file: Annotated[Path | None, typer.Option("--json", help="File to write everything to.")] = None,
) -> None:
    """Tell expected performance, drift and importance; exit code 3 if the bundle is due for training."""
    found = look(data, model, as_of, load_monitor_limits(limits), json_file, now=dt.datetime.now(dt.UTC))
    if found.due:
        raise typer.Exit(DUE)


def look(
    data: Path,
    model: str,
    as_of: dt.datetime | None,
    limits: MonitorLimits,
    json_file: Path | None,
    *,
    now: dt.datetime,
) -> Watch:
    """Score the newest features, print what has changed, write it to *json_file*, and return it.

    Args:
        data: Folder of raw tables.
        model: Tag of the bundle.
        as_of: Day to look at; the newest built one if None.
        limits: Limits.
        json_file: File to write, or None.
        now: Time by which the bundle's age is told, aware.

    Raises:
        BundleError: There is no such bundle.
        FeatureTableError: Features are not built.
        PromotionError: The bundle's test rows are damaged.
    """
    from feature_repo.settings import FeatureRepoSettings
    from feature_repo.tables.dataset import load_dataset_info
    from keepgrow.monitor_tables import show
    from serving.bundle.loader import load_bundle
    from serving.bundle.store import default_store, find_bundle
    from training.monitoring.watch import watch

    console = Console(highlight=False, width=max(TABLE_WIDTH, Console().width))
    bundle = load_bundle(find_bundle(model))
    told = bundle.manifest.provenance
    name = load_dataset_info(data).name
    if name != told.dataset:
        console.print(f"[yellow]{bundle.tag} was trained on {told.dataset!r}; this is {name!r}[/]")
    features = FeatureRepoSettings().features_dir
    end = (
        newest_features(features, bundle)
        if as_of is None
        else as_of.replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
    )
    rows = _rows_of_now(features, bundle, end)
    tested = _test_rows(default_store(), bundle)
    age = (now - told.trained_at).days
    found = watch(bundle.manifest, tested, rows, limits, age_days=age, seed=told.seed)
    show(console, bundle.tag, end, found, limits)
    if told.synthetic:
        console.print(
            "These figures are of a [bold]synthetic[/] world; they say nothing about real customers."
        )
    if json_file is not None:
        content = {"model": bundle.tag, "as_of": end.isoformat(), **found.as_dict()}
        json_file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return found


def newest_features(features: Path, bundle: Bundle) -> dt.datetime:
    """Return the newest time of which features are built, in UTC.

    Raises:
        FeatureTableError: None are, of any view that *bundle* reads.
    """
    import duckdb

    from serving.batch.feature_table import FeatureTableError

    found = []
    for view in bundle.manifest.contract.views:
        file = max((features / view.name).glob("*.parquet"), default=None)
        if file is not None:
            (row,) = duckdb.read_parquet(str(file)).aggregate("epoch(max(event_timestamp))").fetchall()
            found += [row[0]] if row[0] is not None else []
    if not found:
        raise FeatureTableError(f"{features}: no features; build them with `keepgrow features build`")
    return dt.datetime.fromtimestamp(max(found), dt.UTC)


def _rows_of_now(features: Path, bundle: Bundle, end: dt.datetime) -> ScoredRows:
    """Score the newest features of accounts with a subscription, as training looks at no others."""
    import numpy as np

    from serving.batch.feature_table import FeatureTableError, feature_rows
    from serving.batch.offline import OfflineFeatures

    source = OfflineFeatures(features, bundle.manifest.contract, end, LOOK_BACK)
    accounts: list[str] = []
    parts = []
    with source.opened() as con:
        for batch in source.batches(con, BATCH_ROWS):
            rows = feature_rows(batch, bundle.manifest)
            kept = [
                index
                for index, context in enumerate(rows.context)
                if rows.known[index] and context.get(ACTIVE) is not False
            ]
            accounts += [rows.account_ids[index] for index in kept]
            parts.append(rows.matrix[kept])
    if not accounts:
        raise FeatureTableError(
            f"{features}: no account with a subscription has features within {LOOK_BACK.days} days before "
            f"{end:%Y-%m-%d}"
        )
    order = np.argsort(np.array(accounts))  # files are read in no order; draws go by it
    return _scored(bundle, np.array(accounts, dtype=object)[order], np.concatenate(parts)[order])


def _test_rows(store: Path, bundle: Bundle) -> ScoredRows | None:
    import numpy as np

    from training.encoding import encode
    from training.evaluation.held_out import feature_frame, read_test_rows

    rows = read_test_rows(store, bundle.tag)
    if rows is None or rows.empty:
        return None
    contract = bundle.manifest.contract
    matrix = encode(feature_frame(rows), contract.model_features, bundle.manifest.encodings)
    return _scored(bundle, np.asarray(rows["account_id"].to_numpy(dtype=object)), matrix)


def _scored(bundle: Bundle, account_id: NDArray[np.object_], matrix: NDArray[np.float64]) -> ScoredRows:
    """Run the graph, with contributions of some rows; heads that it does not explain are told by their boosters."""
    import numpy as np

    from training.monitoring.findings import ScoredRows
    from training.monitoring.importance import booster_contributions

    manifest = bundle.manifest
    rng = np.random.default_rng(manifest.provenance.seed)
    explained = np.sort(rng.permutation(len(matrix))[:ROWS_EXPLAINED])
    contributions: dict[str, NDArray[np.float64]] = {}
    for head in manifest.heads:
        told = (
            bundle.run(matrix[explained], contributions=True).contributions
            if head.contributions_output
            else booster_contributions(bundle.path, head, matrix[explained])
        )
        if told is not None:
            contributions[head.name] = np.asarray(told, dtype=np.float64)
    probabilities = bundle.run(matrix, contributions=False).probabilities
    return ScoredRows(
        account_id=account_id,
        matrix=matrix,
        probabilities={
            name: np.clip(np.asarray(found, dtype=np.float64), 0, 1) for name, found in probabilities.items()
        },
        explained=explained,
        contributions=contributions,
    )
