"""`keepgrow up` tells training of a truth where the data has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keepgrow.up import truth_words

if TYPE_CHECKING:
    from pathlib import Path


def test_training_is_told_of_a_truth_only_where_there_is_one(tmp_path: Path) -> None:
    """Data without the folder, or with an empty one, is trained on as data of customers is."""
    assert truth_words(tmp_path) == []
    hazards = tmp_path / "truth" / "hazards"
    hazards.mkdir(parents=True)
    assert truth_words(tmp_path) == []
    (hazards / "2026-01.parquet").touch()
    assert truth_words(tmp_path) == ["--truth", str(tmp_path / "truth")]
