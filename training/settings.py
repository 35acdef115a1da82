"""The settings of this package: how much of the machine training may use, and how finely it is judged.

What is predicted, and from when to when, is not a setting but a definition; see `training.definitions`.
"""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from feature_repo.contract import canonical_hash

SINGLE_THREAD_ROWS = 50_000


class TrainingSettings(BaseSettings):
    """Settings by environment variable with the prefix `KEEPGROW_TRAINING_`; an empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix="KEEPGROW_TRAINING_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    num_threads: int = Field(default=0, ge=0)
    """Threads of LightGBM; 0 takes one for up to 50,000 rows and all cores for more. Small fits on several threads
    mostly wait, most of all on a busy machine. The trained model does not depend on it
    (`KEEPGROW_TRAINING_NUM_THREADS`)."""

    bootstrap_samples: int = Field(default=300, ge=20)
    """Resamples behind every confidence interval (`KEEPGROW_TRAINING_BOOTSTRAP_SAMPLES`)."""

    background_rows: int = Field(default=5000, ge=1)
    """Training rows that are kept for explanations and for the parity check (`KEEPGROW_TRAINING_BACKGROUND_ROWS`)."""

    uplift_bags: int = Field(default=12, ge=2)
    """Resamples of accounts whose trees make an uplift head; their spread is its standard error, so fewer are faster
    and rougher (`KEEPGROW_TRAINING_UPLIFT_BAGS`)."""

    @property
    def hash(self) -> str:
        """`sha256:` and the digest of all settings that a bundle depends on; threads are none of them."""
        return canonical_hash(self.model_dump(mode="json", exclude={"num_threads"}))

    def threads(self, rows: int) -> int:
        """Return how many threads LightGBM takes for *rows* training rows."""
        if self.num_threads:
            return self.num_threads
        return 1 if rows <= SINGLE_THREAD_ROWS else os.cpu_count() or 1
