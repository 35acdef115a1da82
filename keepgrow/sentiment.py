"""`keepgrow sentiment`: train and judge the scorer of ticket text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from feature_repo.errors import FeatureRepoError

if TYPE_CHECKING:
    from feature_repo.sentiment.evaluation import Evaluation

sentiment_app = typer.Typer(no_args_is_help=True, help="Train and judge the scorer of ticket text.")


@sentiment_app.command("train")
def train_command(
    labelled: Annotated[
        Path, typer.Argument(help="CSV with text,label[,split]; rows of split test are left out.")
    ],
    out: Annotated[Path, typer.Argument(help="File for the trained scorer.")],
) -> None:
    """Train a scorer on your own labelled tickets; KEEPGROW_SENTIMENT_MODEL=OUT then puts it to use."""
    from feature_repo.sentiment.labelled import read_labelled
    from feature_repo.sentiment.tfidf import train_scorer

    console = Console()
    try:
        rows = read_labelled(labelled, "train")
        scorer = train_scorer(rows.texts, rows.labels)
        scorer.save(out)
    except (FeatureRepoError, ValueError, OSError) as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(1) from error
    console.print(
        f"trained {scorer.version} on {len(rows.texts):,} texts: {out}", soft_wrap=True, markup=False
    )


@sentiment_app.command("evaluate")
def evaluate_command(
    labelled: Annotated[Path, typer.Argument(help="CSV with text,label,split.")],
    model: Annotated[
        Path | None, typer.Option(help="A trained scorer; else one is trained on split train.")
    ] = None,
) -> None:
    """Judge VADER and a trained scorer on the rows of split test, with 95 % bootstrap intervals."""
    from feature_repo.sentiment.evaluation import evaluate
    from feature_repo.sentiment.labelled import read_labelled
    from feature_repo.sentiment.tfidf import load_scorer, train_scorer
    from feature_repo.sentiment.vader import VaderScorer

    try:
        test = read_labelled(labelled, "test")
        if model is None:
            train = read_labelled(labelled, "train")
            trained = train_scorer(train.texts, train.labels)
        else:
            trained = load_scorer(model)
        results: list[Evaluation] = [evaluate(scorer, test) for scorer in (VaderScorer(), trained)]
    except (FeatureRepoError, ValueError) as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(1) from error
    table = Table("scorer", "texts", "AUC of negative", "macro F1")
    for result in results:
        table.add_row(result.scorer, f"{result.texts:,}", str(result.auc_negative), str(result.macro_f1))
    Console().print(table)
