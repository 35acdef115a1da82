"""`keepgrow verification measure`: how often each check fails, and whether what fails is predicted worse."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from keepgrow.options import BATCH_ROWS, LOOK_BACK, FeaturesFolder, Model, VerificationFile
from serving.bundle.loader import load_bundle
from serving.bundle.store import MODEL_NAME, find_bundle
from serving.scoring.verification.compiled import verified_by
from training.definitions import Definitions, load_definitions
from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.labels import read_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle
    from serving.scoring.verification.document import Check

SAMPLES: Final = 1_000
NOT_ENOUGH: Final = "too few"
FEWEST_ROWS: Final = 30


@dataclass(frozen=True, slots=True)
class Told:
    """What was predicted of n accounts and cutoffs, and what they failed.

    Attributes:
        account_id: Shape (n,).
        cutoff: Shape (n,), days.
        codes: Shape (n,), bits of the checks that fail.
        probability: By head, shape (n,), by the scored horizon.
        outcome: By head, shape (n,): 1, 0, or NaN where it is not known or the account was not at risk.
    """

    account_id: NDArray[np.object_]
    cutoff: NDArray[np.datetime64]
    codes: NDArray[np.int64]
    probability: dict[str, NDArray[np.float64]]
    outcome: dict[str, NDArray[np.float64]]


def measure(
    data: Annotated[Path, typer.Argument(help="Folder of raw tables; what came of accounts is read there.")],
    features: FeaturesFolder,
    verification: VerificationFile = None,
    model: Model = MODEL_NAME,
) -> None:
    """Say how often each check fails on the test cutoffs of a bundle, and whether what fails is predicted worse."""
    bundle = verified_by(verification, load_bundle(find_bundle(model)))
    definitions = load_definitions()
    told = tell(data, features, bundle, definitions)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    days = bundle.manifest.score_horizon_days
    table = Table(title=f"{bundle.tag}, test cutoffs, {days} days", title_justify="left")
    for heading in (
        "check", "effect", "share of rows", "accounts", "rows with outcome", "predicted", "came",
        "Brier / that of the rest", "Brier / expected",
    ):  # fmt: skip
        table.add_column(heading, overflow="fold")
    for line in lines(told, _checks(bundle), seed=definitions.model.seed):
        table.add_row(*line)
    console.print(table)
    console.print(
        f"{len(told.codes)} rows of {len(np.unique(told.account_id))} accounts, {np.mean(told.codes != 0):.1%} of the "
        "rows fail a check. In brackets 95 % intervals, accounts resampled. The expected Brier score is that of "
        "probabilities that are right; a ratio above 1 says that they are not."
    )
    if bundle.manifest.provenance.synthetic:
        console.print("These figures are of a synthetic world; they say nothing about real customers.")


def _checks(bundle: Bundle) -> tuple[Check, ...]:
    from serving.scoring.engine import scoring_tables

    return scoring_tables(bundle).verification.checks


def tell(data: Path, features: Path, bundle: Bundle, definitions: Definitions) -> Told:
    """Return predictions, failed checks and outcomes of all accounts at the bundle's test cutoffs.

    Args:
        data: Folder of raw tables.
        features: Folder of daily feature tables.
        bundle: The model, whose test cutoffs are taken.
        definitions: What the outcomes are, and how far cutoffs lie apart.

    Raises:
        FeatureTableError: Features are not built.
        DatasetError: The data folder has no accounts or subscriptions.
    """
    from serving.batch.feature_table import feature_rows
    from serving.batch.offline import OfflineFeatures
    from serving.scoring.engine import Asked, scoring_tables

    manifest = bundle.manifest
    tables, (first, last) = scoring_tables(bundle), manifest.window.test
    step = dt.timedelta(days=definitions.split.cutoff_every_days)
    cutoffs = [first + number * step for number in range((last - first) // step + 1)]
    labels = read_labels(data, cutoffs, definitions)
    heads = [head for head in manifest.heads if manifest.score_horizon_days in head.horizons_days]
    known = {
        head.name: dict(
            zip(
                zip(labels.account_id.tolist(), labels.cutoff.tolist(), strict=True),
                labels.outcome(head.name, manifest.score_horizon_days).tolist(),
                strict=True,
            )
        )
        for head in heads
    }
    ids: list[str] = []
    days: list[dt.date] = []
    codes: list[int] = []
    probability: dict[str, list[float]] = {head.name: [] for head in heads}
    for cutoff in cutoffs:
        midnight = dt.datetime.combine(cutoff, dt.time(), dt.UTC)
        source = OfflineFeatures(features, manifest.contract, midnight, LOOK_BACK)
        with source.opened() as con:
            for batch in source.batches(con, BATCH_ROWS):
                asked = Asked.of(feature_rows(batch, manifest))
                outputs = bundle.run(asked.matrix, contributions=False, outlook=True)
                ids += asked.account_ids
                days += [cutoff] * len(asked.known)
                codes += tables.verification.codes(asked, outputs)
                for head in heads:
                    column = head.horizons_days.index(manifest.score_horizon_days)
                    probability[head.name] += outputs.probabilities[head.name][:, column].tolist()
    keys = list(zip(ids, days, strict=True))
    return Told(
        account_id=np.array(ids, dtype=object),
        cutoff=np.array(days, dtype="datetime64[D]"),
        codes=np.array(codes, dtype=np.int64),
        probability={name: np.array(values) for name, values in probability.items()},
        outcome={name: np.array([found.get(key, np.nan) for key in keys]) for name, found in known.items()},
    )


def lines(told: Told, checks: Sequence[Check], *, seed: int) -> list[tuple[str, ...]]:
    """Return a line of the table a check; see `measure`."""
    found = []
    for place, check in enumerate(checks):
        fails = (told.codes >> place & 1).astype(np.bool_)
        head = "upsell" if check.concerns in {"upsell", "amount"} else "churn"
        shown = _line(told, fails, head, seed) if head in told.outcome else ("",) * 5
        share, accounts = f"{fails.mean():.2%}", str(len(np.unique(told.account_id[fails])))
        found.append((check.id, check.effect, share, accounts, *shown))
    return found


def _line(told: Told, fails: NDArray[np.bool_], head: str, seed: int) -> tuple[str, ...]:
    """Return what became of the accounts that fail: rows, mean prediction, outcome, and how good it was."""
    here = np.isfinite(told.outcome[head])
    fails, p, y = fails[here], told.probability[head][here], told.outcome[head][here]
    count = int(fails.sum())
    if count < FEWEST_ROWS:
        return str(count), *[NOT_ENOUGH if count else ""] * 4
    resamples = AccountBootstrap(told.account_id[here], samples=SAMPLES, seed=seed)
    loss, expected = (p - y) ** 2, p * (1.0 - p)

    def against_the_rest(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean(loss, weight * fails) / _mean(loss, weight * ~fails)

    def against_expected(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean(loss, weight * fails) / _mean(expected, weight * fails)

    return (
        str(count), f"{p[fails].mean():.3f}", f"{y[fails].mean():.3f}",
        _shown(resamples.estimate(against_the_rest)), _shown(resamples.estimate(against_expected)),
    )  # fmt: skip


def _mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        means: NDArray[np.float64] = (weight @ values) / weight.sum(axis=-1)
    return means


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
