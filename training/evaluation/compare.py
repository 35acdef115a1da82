"""A candidate against the champion: the graphs of both on the same rows.

Both are run as serving runs them, with ONNX Runtime, each with its own contract and its own encodings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.bundle.manifest import GRAPH_FILE, MANIFEST_FILE, Manifest, hash_of
from training.encoding import encode
from training.errors import DatasetError, PromotionError
from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap, Estimate, simultaneous_reach
from training.evaluation.held_out import feature_frame, known_rows
from training.export.sessions import open_session, run_in_chunks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnxruntime as ort
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class OpenBundle:
    """A bundle whose graph is open.

    Attributes:
        tag: `name:version`.
        manifest: What it says of itself.
        session: The open graph.
        graph_hash: `sha256:` and the digest of the graph's file.
    """

    tag: str
    manifest: Manifest
    session: ort.InferenceSession
    graph_hash: str

    def matrix(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return the rows as this bundle's graph reads them.

        Args:
            rows: Of `training.evaluation.held_out.test_rows`.

        Raises:
            DatasetError: A feature that the bundle reads is not among them.
        """
        return encode(feature_frame(rows), self.manifest.contract.model_features, self.manifest.encodings)

    def probabilities(self, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Return `<head>_<days>d` with shape (n,) for every head and horizon, as the graph gives them.

        Raises:
            DatasetError: As `matrix`.
        """
        outputs = [head.output for head in self.manifest.heads]
        parts = list(run_in_chunks(self.session, outputs, self.matrix(rows), explain=False))
        found: dict[str, NDArray[np.float64]] = {}
        for head in self.manifest.heads:
            together = [np.asarray(one[head.output], dtype=np.float64) for _, one in parts]
            for index, days in enumerate(head.horizons_days):
                found[f"{head.name}_{days}d"] = (
                    np.concatenate([one[:, index] for one in together]) if together else np.empty(0)
                )
        return found


def open_bundle(tag: str, folder: Path) -> OpenBundle:
    """Open the bundle in *folder*.

    Raises:
        PromotionError: A file is missing or damaged.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
        graph = (folder / GRAPH_FILE).read_bytes()
        session = open_session(graph)
    except Exception as error:  # ONNX Runtime raises classes of its own, without a common base
        raise PromotionError(f"{tag}: the bundle in {folder} can't be opened: {error}") from error
    return OpenBundle(tag, manifest, session, hash_of(graph))


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate minus champion on the same rows, of one head and horizon.

    Attributes:
        head: Head.
        days: Horizon.
        rows: Rows compared.
        accounts: Accounts among them.
        roc_auc: Above 0, the candidate ranks better.
        log_loss: Below 0, the candidate's probabilities are better.
        note: What one must know of the comparison; empty if nothing.
    """

    head: str
    days: int
    rows: int
    accounts: int
    roc_auc: Estimate
    log_loss: Estimate
    note: str = ""


def unseen_by(champion: Manifest, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows from the champion's own first test day on: no label before it taught the champion anything."""
    first = np.datetime64(champion.window.test[0].isoformat(), "s")
    return rows[rows["cutoff"].to_numpy() >= first]


def compare_on(
    rows: pd.DataFrame,
    candidate: OpenBundle,
    champion: OpenBundle,
    head: str,
    days: int,
    *,
    samples: int,
    seed: int,
    comparisons: int = 1,
) -> Difference:
    """Return the paired differences on the candidate's test rows, with 95 % intervals that resample accounts.

    Rows that the champion may have been trained on are left out.

    Args:
        rows: Of `training.evaluation.held_out.test_rows`.
        candidate: The bundle that they are the test rows of.
        champion: The bundle to beat.
        head: Head.
        days: Horizon.
        samples: Resamples.
        seed: Their seed.
        comparisons: Of so many differences that are judged together, so that their intervals are widened.

    Raises:
        PromotionError: The champion can't be run on these rows; the message says why.
    """
    key = f"{head}_{days}d"
    judged = known_rows(unseen_by(champion.manifest, rows), head, days)
    if judged.empty or judged[f"{key}_label"].nunique() < 2:  # noqa: PLR2004 -- events and others
        raise PromotionError(
            f"no test rows with and without the event that {champion.tag} has not been trained on"
        )
    try:
        theirs = champion.probabilities(judged)
        ours = candidate.probabilities(judged)
    except DatasetError as error:
        raise PromotionError(f"{champion.tag} reads other features: {error}") from error
    if key not in theirs or key not in ours:
        raise PromotionError(f"{champion.tag if key in ours else candidate.tag} has no head {key}")
    label = judged[f"{key}_label"].to_numpy(dtype=np.float64)
    accounts = judged["account_id"].to_numpy(dtype=object)
    bootstrap = AccountBootstrap(accounts, samples=samples, seed=seed, comparisons=comparisons)

    def difference(
        metric: Callable[
            [NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]
        ],
    ) -> Estimate:
        return bootstrap.estimate(
            lambda weight: metric(label, ours[key], weight) - metric(label, theirs[key], weight)
        )

    notes = []
    if len(judged) < len(known_rows(rows, head, days)):
        notes.append(f"cutoffs from {champion.manifest.window.test[0]} on, which the champion has not seen")
    if champion.manifest.provenance.definitions_hash != candidate.manifest.provenance.definitions_hash:
        notes.append("definitions differ; the candidate's labels are used")
    return Difference(
        head=head,
        days=days,
        rows=len(judged),
        accounts=len(set(accounts.tolist())),
        roc_auc=difference(metrics.roc_auc),
        log_loss=difference(metrics.log_loss),
        note="; ".join(notes),
    )


def compare_reports(
    candidate: Manifest, champion: Manifest, head: str, days: int, *, comparisons: int = 1
) -> Difference:
    """Return the difference of the two reports, each of its own test rows; for bundles that can't be run together.

    Intervals combine those of the reports as if they were independent, and are widened for *comparisons* of them.

    Raises:
        PromotionError: A report lacks the head or horizon.
    """
    found = []
    for manifest in (candidate, champion):
        horizon = manifest.metrics.get("heads", {}).get(head, {}).get("horizons", {}).get(f"{days}d")
        if horizon is None:
            raise PromotionError(f"no report of {head} within {days} days")
        found.append(horizon)
    differences = []
    for metric in ("roc_auc", "log_loss"):
        ours, theirs = (Estimate.from_dict(one["models"]["keepgrow"]["metrics"].get(metric)) for one in found)
        if ours is None or theirs is None:
            raise PromotionError(f"no figures of {metric} of {head} within {days} days")
        differences.append(ours.less(theirs, simultaneous_reach(comparisons) / simultaneous_reach(1)))
    return Difference(
        head=head,
        days=days,
        rows=int(found[0]["rows"]),
        accounts=int(found[0]["accounts"]),
        roc_auc=differences[0],
        log_loss=differences[1],
        note="reported figures, each of its own test rows",
    )
