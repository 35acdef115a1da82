"""What candidate and champion say beyond their heads, on the same rows: trajectory, long horizon, amount, and effects.

Both graphs are run as serving runs them; every difference is of one row, draw or piece at a time, and its interval
resamples the same accounts for both. Rows that may have taught the champion are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from training.errors import DatasetError, PromotionError
from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.evaluation.compare import unseen_by
from training.evaluation.held_out import AMOUNT_LABEL, TRAJECTORY_LABEL, feature_frame
from training.export.sessions import run_in_chunks
from training.heads.long_horizon import piece_edges, pieces_seen
from training.outcomes import days_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from serving.bundle.manifest import Manifest
    from training.evaluation.compare import OpenBundle

    _Vector: TypeAlias = NDArray[np.float64]

_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Candidate minus champion on the same rows.

    Attributes:
        figures: Each difference with its interval, by name.
        note: How many rows of how many accounts.
    """

    figures: dict[str, Estimate]
    note: str


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made.

    Attributes:
        samples: Resamples of accounts.
        seed: Their seed.
        comparisons: Of so many differences that are judged together.
    """

    samples: int
    seed: int
    comparisons: int

    def of(self, account_id: NDArray[np.object_]) -> AccountBootstrap:
        """Return the resamples of rows of these accounts."""
        return AccountBootstrap(
            account_id, samples=self.samples, seed=self.seed, comparisons=self.comparisons
        )


def outlook_of(
    bundle: OpenBundle, rows: pd.DataFrame, outputs: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return outputs of the outlook by name, shape (n, width) each.

    Args:
        bundle: Whose graph is run.
        rows: With the features that it reads, as of `training.evaluation.held_out`.
        outputs: Which outputs.

    Raises:
        PromotionError: A feature that the bundle reads is not among *rows*; the message names it.
    """
    trajectory, further = bundle.manifest.trajectory, {}
    try:
        matrix = bundle.matrix(rows)
    except DatasetError as error:
        raise PromotionError(f"{bundle.tag} reads other features: {error}") from error
    if trajectory is not None and trajectory.input_name is not None and trajectory.output in outputs:
        known = feature_frame(rows)
        missing = [name for name in trajectory.inputs if name not in known]
        if missing:
            raise PromotionError(
                f"{bundle.tag} reads other features: the rows lack {', '.join(missing)}, which its trajectory reads"
            )
        further[trajectory.input_name] = known[list(trajectory.inputs)].to_numpy(dtype=np.float64)
    parts = list(run_in_chunks(bundle.session, outputs, matrix, explain=False, outlook=True, further=further))
    if not parts:
        raise PromotionError(f"there is no row to run {bundle.tag} on")
    return {
        name: np.concatenate([np.asarray(part[name], dtype=np.float64) for _, part in parts])
        for name in outputs
    }


def trajectory_difference(
    rows: pd.DataFrame, candidate: OpenBundle, champion: OpenBundle, how: Resampling
) -> PairedDifference:
    """Return the difference of log loss (nats a row, all classes) of the health trajectory on test rows.

    Raises:
        PromotionError: No row is known of which the champion has learnt nothing, or a bundle can't be run on them.
    """
    judged = _known(rows, TRAJECTORY_LABEL, champion, "where its health came to")
    label = judged[TRAJECTORY_LABEL].to_numpy(dtype=object)

    def loss(bundle: OpenBundle) -> NDArray[np.float64]:
        told = bundle.manifest.trajectory
        if told is None:
            raise PromotionError(f"{bundle.tag} has no trajectory")
        codes = np.array([told.classes.index(name) for name in label], dtype=np.intp)
        return metrics.class_losses(outlook_of(bundle, judged, [told.output])[told.output], codes)

    return _mean_difference("log loss", loss(candidate) - loss(champion), judged, how)


def amount_difference(
    rows: pd.DataFrame, candidate: OpenBundle, champion: OpenBundle, how: Resampling
) -> PairedDifference:
    """Return the difference of the squared error of extra MRR over MRR on test rows that expanded.

    The output is an expected value, which has the least squared error; the least absolute error has the median, which
    says too little of amounts that lean to one side.

    Raises:
        PromotionError: As `trajectory_difference`.
    """
    judged = _known(rows, AMOUNT_LABEL, champion, "by how much it expanded")
    label = judged[AMOUNT_LABEL].to_numpy(dtype=np.float64)

    def error(bundle: OpenBundle) -> NDArray[np.float64]:
        told = bundle.manifest.amount
        if told is None:
            raise PromotionError(f"{bundle.tag} has no amount")
        return np.asarray((outlook_of(bundle, judged, [told.output])[told.output][:, 0] - label) ** 2)

    return _mean_difference("squared error", error(candidate) - error(champion), judged, how)


def long_difference(
    rows: pd.DataFrame, candidate: OpenBundle, champion: OpenBundle, how: Resampling
) -> PairedDifference:
    """Return the differences of log loss (nats a piece) and of ROC AUC of the long horizon.

    What is judged is the time from the last horizon to the end of the long one, in pieces, as far as each row was seen
    and after both bundles were fitted: each says at which rate expansions come there. AUC is left out without events.

    Args:
        rows: Of `training.outlook_held_out`, those that lived on after the fit.
        candidate: The bundle.
        champion: The bundle to beat.
        how: How intervals are made.

    Raises:
        PromotionError: No piece is known, or a bundle can't be run on the rows.
    """
    ends = [_long_ends(one) for one in (candidate.manifest, champion.manifest)]
    first, last = max(begin for begin, _ in ends), min(end for _, end in ends)
    fitted = max(one.manifest.window.test[0] for one in (candidate, champion))
    days = rows["upsell_event_days"].to_numpy(dtype=np.float64, na_value=np.inf)
    observed = rows["upsell_observed_days"].to_numpy(dtype=np.float64)
    reach = days_until(rows["cutoff"].to_numpy().astype("datetime64[D]"), fitted)
    edges = piece_edges(first, last)
    periods, length = pieces_seen(days, observed, edges, reach), float(edges[1] - edges[0])
    if not len(periods.rows):
        raise PromotionError(
            f"no row was seen from {first} days on, after both {candidate.tag} and {champion.tag} were fitted"
        )
    needed, position = np.unique(periods.rows, return_inverse=True)
    judged = rows.iloc[needed]

    def hazard(bundle: OpenBundle) -> NDArray[np.float64]:
        return (1.0 - np.exp(-length * _rate(bundle, judged)))[position]

    ours, theirs = hazard(candidate), hazard(champion)
    bootstrap = how.of(judged["account_id"].to_numpy(dtype=object)[position])
    compared: dict[str, Callable[[_Vector, _Vector, _Vector], _Vector]] = {"log loss": metrics.log_loss}
    if 0 < periods.events < len(periods.rows):
        compared["AUC"] = metrics.roc_auc
    figures = {
        name: bootstrap.estimate(
            lambda weight, metric=metric: (  # type: ignore[misc]
                metric(periods.event, ours, weight * periods.weight)
                - metric(periods.event, theirs, weight * periods.weight)
            )
        )
        for name, metric in compared.items()
    }
    note = f"{int(periods.weight.sum())} pieces of {length:g} days with {periods.events} expansions"
    return PairedDifference(figures, f"{note}, {_count(judged)}")


def _long_ends(manifest: Manifest) -> tuple[int, int]:
    """Return the days where the long horizon begins and ends."""
    told = manifest.long_horizon
    if told is None:
        raise PromotionError("a bundle has no long horizon")
    return manifest.head(told.head).horizons_days[-1], told.days


def _rate(bundle: OpenBundle, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return expansions a day, shape (n,), between the last horizon and the end of the long one, a constant rate."""
    told = bundle.manifest.long_horizon
    if told is None:
        raise PromotionError(f"{bundle.tag} has no long horizon")
    head = bundle.manifest.head(told.head)
    found = outlook_of(bundle, rows, [head.output, told.output])
    before, after = found[head.output][:, -1], found[told.output][:, 0]
    left = np.maximum((1.0 - after) / np.maximum(1.0 - before, _LEAST_PROBABILITY), _LEAST_PROBABILITY)
    return np.asarray(-np.log(np.minimum(left, 1.0)) / (told.days - head.horizons_days[-1]), dtype=np.float64)


def _known(rows: pd.DataFrame, label: str, champion: OpenBundle, what: str) -> pd.DataFrame:
    if label not in rows.columns:
        raise PromotionError(f"the test rows don't say {what}; train the candidate again")
    judged = unseen_by(champion.manifest, rows)
    judged = judged[judged[label].notna()]
    if judged.empty:
        raise PromotionError(f"of no test row that {champion.tag} has not been trained on it is known {what}")
    return judged


def _mean_difference(
    name: str, difference: NDArray[np.float64], judged: pd.DataFrame, how: Resampling
) -> PairedDifference:
    bootstrap = how.of(judged["account_id"].to_numpy(dtype=object))
    return PairedDifference({name: bootstrap.mean(difference)}, _count(judged))


def _count(judged: pd.DataFrame) -> str:
    return f"{len(judged)} rows of {judged['account_id'].nunique()} accounts"
