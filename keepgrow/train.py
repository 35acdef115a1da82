"""`keepgrow train`: from a data folder and its features to a bundle in the model store."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from training.definitions import DEFAULT_FILE, SplitDefinition, load_definitions

if TYPE_CHECKING:
    from serving.bundle.manifest import TrainingCost
    from training.tuning import Tuner

LONGEST_STAGES = 5
STAGES_FOLDER = "training"
TABLE_WIDTH = 180
"""A table cut off at a narrow terminal says nothing; wrapped lines still hold every figure."""


def train(
    data: Annotated[Path, typer.Argument(help="Folder of raw tables; labels come from its subscriptions.")],
    definitions: Annotated[
        Path, typer.Option(help="Horizons, labels, split, tiers and thresholds (YAML).")
    ] = DEFAULT_FILE,
    validation_from: Annotated[
        dt.datetime | None,
        typer.Option(help="First validation cutoff (UTC); by shares if not given.", formats=["%Y-%m-%d"]),
    ] = None,
    test_from: Annotated[
        dt.datetime | None,
        typer.Option(help="First test cutoff (UTC); by shares if not given.", formats=["%Y-%m-%d"]),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    tune_trials: Annotated[
        int | None, typer.Option(min=1, help="Look for better boosting stages in so many trials.")
    ] = None,
    tune_minutes: Annotated[
        float | None, typer.Option(min=0.1, help="The same, for so many minutes; with both, what ends first.")
    ] = None,
    tune_folder: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps trials for good; without it they go with the kept stages."),
    ] = None,
    stages_folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps finished stages until the bundle is stored; `training` beside the features if not "
            "given."
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew: forget what an interrupted training kept.")
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(help="The `truth` of a synthetic world: report what it allows beside what was reached."),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            envvar="KEEPGROW_CATALOGUE",
            help="Catalogue whose declared effects uplift is shrunk to; DATA/catalogue.yaml or the packaged one if not "
            "given.",
        ),
    ] = None,
    with_views: Annotated[
        str | None,
        typer.Option(
            metavar="VIEW,...",
            help="Opt-in views that the bundle learns from and reads, such as procurement,external.",
        ),
    ] = None,
    tag_file: Annotated[Path | None, typer.Option(help="File to write the new bundle's tag to.")] = None,
) -> None:
    """Train all heads, judge them against baselines, export one ONNX graph and store the bundle.

    The same command goes on where one that was stopped or killed left off.
    """
    from feature_repo.services import service_with_files
    from feature_repo.settings import FeatureRepoSettings
    from feature_repo.store import open_store
    from keepgrow.train_priors import declared_priors
    from serving.bundle.store import default_store
    from serving.decisions.catalogue import load_catalogue
    from training.evaluation.held_out import write_test_rows
    from training.evaluation.report import evaluation_table
    from training.export.bundle import export_bundle, store_bundle
    from training.stages import Stages
    from training.train import train as train_heads

    console = Console(highlight=False, soft_wrap=True)
    wide = Console(highlight=False, width=max(TABLE_WIDTH, console.width))
    chosen = load_definitions(definitions)
    days = {"validation_from": validation_from, "test_from": test_from}
    given = {name: day.date() for name, day in days.items() if day is not None}
    split = SplitDefinition.model_validate(chosen.split.model_dump() | given)
    chosen = chosen.model_copy(update={"split": split})
    own = data / "catalogue.yaml"
    priors = declared_priors(load_catalogue(catalogue or (own if own.exists() else None)))
    repository = FeatureRepoSettings()
    asked = [name.strip() for name in (with_views or "").split(",") if name.strip()]
    service = service_with_files(asked, repository.features_dir)
    store = open_store(repository)

    def progress(line: str) -> None:
        console.print(f"  {line}")

    stages = Stages(stages_folder or repository.features_dir.parent / STAGES_FOLDER, progress)
    if fresh:
        stages.start_anew()
    trained = train_heads(
        data,
        store,
        chosen,
        seed=seed,
        progress=progress,
        service=service,
        tuning=_tuning(tune_trials, tune_minutes, tune_folder),
        features=repository.features_dir,
        priors=priors,
        stages=stages,
    )
    wide.print(evaluation_table(trained.metrics))
    if trained.dataset.synthetic:
        console.print(
            "These figures are of a [bold]synthetic[/] world; they say nothing about real customers."
        )
    if truth is not None:
        from training.evaluation.truth_rows import judge_against_truth

        console.print("  what the truth allows")
        trained.metrics["ceilings"] = judge_against_truth(data, store, trained, truth)
    console.print("  exporting, and comparing ONNX with LightGBM")
    exported = export_bundle(trained, trained_at=dt.datetime.now(dt.UTC))
    tag = store_bundle(exported)
    write_test_rows(trained.test_predictions, default_store(), tag)
    for kind, rows in trained.held_out.items():
        write_test_rows(rows, default_store(), tag, kind)
    if tag_file is not None:
        tag_file.write_text(tag + "\n", encoding="utf-8")
    stages.finish()
    if exported.manifest.cost is not None:
        console.print(cost_sentence(exported.manifest.cost))
    console.print(f"[bold green]stored[/] {tag}")


def cost_sentence(cost: TrainingCost) -> str:
    """Return what a training took, its longest stages by name."""
    kept = sum(stage.kept for stage in cost.stages)
    longest = sorted(cost.stages, key=lambda stage: -stage.seconds)[:LONGEST_STAGES]
    return (
        f"took {cost.seconds:.1f} s ({cost.processor_seconds:.1f} s of processor time)"
        + (f" besides {kept} stage{'s' * (kept > 1)} kept from before" if kept else "")
        + f", {cost.peak_memory_bytes / 1e9:.2f} GB of memory at its peak; longest: "
        + ", ".join(
            f"{stage.name} {stage.seconds:.1f} s" + (" (before)" if stage.kept else "") for stage in longest
        )
    )


def _tuning(trials: int | None, minutes: float | None, folder: Path | None) -> Tuner | None:
    if trials is None and minutes is None:
        return None
    from training.tuning import Budget, Tuner

    return Tuner(Budget(trials=trials, minutes=minutes), folder)
