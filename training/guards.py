"""What must hold before training is worth it: enough events in every part, no feature that knows the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.definitions import HEADS, Definitions, HeadName
from training.errors import LeakageError, TooLittleDataError
from training.evaluation.leakage import find_leaks
from training.limits import load_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.dataset import PartRows, Parts
    from training.evaluation.baselines import Column

MIN_EVENTS = 5
"""Fewest events within the longest horizon in a part; with fewer, no figure of that part means anything."""

SingleFeatureAuc: TypeAlias = dict[tuple[HeadName, int], NDArray[np.float64]]


def require_events(parts: Parts, definitions: Definitions) -> None:
    """Insist on events, and on rows without one, in every part.

    Raises:
        TooLittleDataError: A part has too few; the message says which, and what would be enough.
    """
    horizon = definitions.horizons_days[-1]
    for head in HEADS:
        for name, rows in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
            _, label, _ = rows.outcome(head, horizon)
            events = int(label.sum())
            if events < MIN_EVENTS or events == len(label):
                first, last = (
                    (rows.labels.cutoff.min(), rows.labels.cutoff.max()) if len(rows.labels) else ("-", "-")
                )
                raise TooLittleDataError(
                    f"{head}: the {name} part (cutoffs {first} to {last}) has {events} events within {horizon} days in "
                    f"{len(label)} rows of accounts at risk; training needs at least {MIN_EVENTS} events, and some "
                    "rows without one, in each part. More accounts, a longer history or closer cutoffs would do."
                )


def require_no_leakage(
    train: PartRows, columns: Sequence[Column], definitions: Definitions
) -> SingleFeatureAuc:
    """Insist that no single feature tells training events almost perfectly, by its order, its values or its absence.

    Args:
        train: The training part.
        columns: What the matrix columns hold.
        definitions: Horizons, and the limit.

    Returns:
        How well each column alone ranks events, per head and horizon; the best-single-feature baseline is chosen by it.

    Raises:
        LeakageError: A feature is above the limit; the message names it.
    """
    highest = definitions.leakage.max_single_feature_auc
    limits = load_limits().leakage.model_copy(update={"max_single_feature_auc": highest})
    found: SingleFeatureAuc = {}
    for head in HEADS:
        for horizon in definitions.horizons_days:
            matrix, label, _ = train.outcome(head, horizon)
            search = find_leaks(matrix, label, columns, limits)
            if search.leaks:
                raise LeakageError(
                    f"{head} within {horizon} days: {', '.join(leak.sentence for leak in search.leaks)} alone ranks "
                    f"training events almost perfectly (limit {limits.max_single_feature_auc}). It most likely holds "
                    "what was known only later; check how it is built, take it out of the feature service, or raise "
                    "`leakage.max_single_feature_auc` in the definitions if it is honest."
                )
            found[head, horizon] = search.auc
    return found
