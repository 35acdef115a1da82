"""The test rows of a training as one table: who and when, features, what was predicted, what happened.

It stays beside the model store, never in a bundle: a later candidate, or a later champion, is run on the same rows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from training.errors import PromotionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract
    from serving.bundle.manifest import Encoding
    from training.labels import Labels

FOLDER = "keepgrow-test-rows"
"""Beside the folder of the model store, so that no bento and no pushed bundle takes accounts along."""

LATER, DRAWS = "later", "draws"
"""What is kept besides test rows: rows that lived on after the fit, and draws that no judged effect has seen."""

TRAJECTORY_LABEL = "trajectory_label"
"""Column with the class that a row's health came to, by name; None where it is not known."""

AMOUNT_LABEL = "extra_mrr_ratio_label"
"""Column with extra MRR over MRR of the row's expansion; NaN where there was none, or its amount is not known."""

FEATURE = "feature:"
"""Prefix of feature columns; they hold what the feature tables held, so any bundle can encode them its own way."""


def test_rows(
    labels: Labels,
    matrix: NDArray[np.float64],
    contract: FeatureContract,
    encodings: Sequence[Encoding],
    probabilities: Mapping[str, tuple[Sequence[int], NDArray[np.float64]]],
) -> pd.DataFrame:
    """Return one row a test account and cutoff.

    Args:
        labels: Of the n test rows.
        matrix: Shape (n, model features).
        contract: What its columns are.
        encodings: Categories of string features; a category that training did not see has become missing.
        probabilities: Per head, its horizons in days and probabilities of shape (n, horizons).

    Returns:
        `account_id`, `cutoff`, per head and horizon `<head>_<days>d` and `<head>_<days>d_label` (0, 1 or NaN where it
        isn't known yet), and `feature:<name>` per model feature.
    """
    columns: dict[str, Any] = {
        "account_id": labels.account_id.astype(str),
        "cutoff": labels.cutoff.astype("datetime64[s]"),
    }
    for head, (horizons, found) in probabilities.items():
        for index, days in enumerate(horizons):
            columns[f"{head}_{days}d"] = found[:, index]
            columns[f"{head}_{days}d_label"] = labels.outcome(head, days)  # type: ignore[arg-type]  # heads that have labels
    return pd.DataFrame(columns | feature_columns(matrix, contract, encodings))


def feature_columns(
    matrix: NDArray[np.float64], contract: FeatureContract, encodings: Sequence[Encoding]
) -> dict[str, NDArray[Any]]:
    """Return the model features as `feature:<name>`, strings as themselves; a category not seen in training is None.

    Args:
        matrix: Shape (n, model features).
        contract: What its columns are.
        encodings: Categories of string features.
    """
    columns: dict[str, NDArray[Any]] = {}
    categories = {encoding.feature: encoding.categories for encoding in encodings}
    for index, feature in enumerate(contract.model_features):
        values: NDArray[Any] = matrix[:, index]
        if feature.dtype == "String":
            names = np.array([*categories.get(feature.name, ()), None], dtype=object)
            values = names[np.where(np.isnan(values), len(names) - 1, values).astype(np.intp)]
        columns[FEATURE + feature.name] = values
    return columns


def feature_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the features of *rows* under their own names."""
    found = rows[[name for name in rows.columns if name.startswith(FEATURE)]]
    return found.rename(columns=lambda name: name.removeprefix(FEATURE))


def known_rows(rows: pd.DataFrame, head: str, days: int) -> pd.DataFrame:
    """Return the rows whose label of *head* within *days* is known; none if the table has no such label."""
    label = f"{head}_{days}d_label"
    if label not in rows.columns:
        return rows.iloc[:0]
    return rows[rows[label].notna()]


def kept_file(store: Path, tag: str, kind: str | None = None) -> Path:
    """Return where rows of the bundle *tag* (`name:version`) of the model store *store* are.

    Args:
        store: Folder of the model store.
        tag: `name:version`.
        kind: `LATER` or `DRAWS`; test rows if None.
    """
    version = tag.partition(":")[2]
    return store.parent / FOLDER / (f"{version}.parquet" if kind is None else f"{version}.{kind}.parquet")


def write_test_rows(rows: pd.DataFrame, store: Path, tag: str, kind: str | None = None) -> Path:
    """Keep the test rows of a bundle, readable by the owner only, and return the file; all of it or nothing.

    Args:
        rows: Of `test_rows`, or what *kind* says.
        store: Folder of the model store.
        tag: `name:version`.
        kind: `LATER` or `DRAWS`; test rows if None.
    """
    file = kept_file(store, tag, kind)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_suffix(f".partial-{os.getpid()}")
    try:
        rows.to_parquet(partial, index=False, compression="zstd")
        partial.chmod(0o600)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def read_test_rows(store: Path, tag: str, kind: str | None = None) -> pd.DataFrame | None:
    """Return the test rows that were kept for the bundle *tag*, or what *kind* says, or None if there are none.

    Raises:
        PromotionError: The file is damaged.
    """
    file = kept_file(store, tag, kind)
    if not file.is_file():
        return None
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise PromotionError(f"{file}: the test rows of {tag} can't be read: {error}") from error
