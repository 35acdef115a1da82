"""The limits beyond which a bundle is due to be trained again; `limits.yaml` beside this module holds every value."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import LimitsError

LIMITS_FILE = Path(__file__).with_name("limits.yaml")


class MonitorLimits(BaseModel):
    """All limits of monitoring; none has a default, so that the file says all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_age_days: int = Field(ge=1, description="Days since training.")
    min_days_between: int = Field(ge=0, description="Days that `keepgrow retrain` waits after a training.")
    fewest_rows: int = Field(ge=1, description="Accounts needed to judge more than age.")
    max_psi: float = Field(gt=0, description="Population stability index of a feature.")
    min_features_beyond: int = Field(ge=1, description="Features that have to be beyond it.")
    max_share_change: float = Field(gt=0, lt=1, description="Of a signal's share of contributions.")
    max_auc_drop: float = Field(ge=0, lt=1, description="Of expected ROC AUC against test.")
    samples: int = Field(ge=20, description="Draws behind every interval.")


def load_monitor_limits(path: Path = LIMITS_FILE) -> MonitorLimits:
    """Read limits from a YAML file that names all of them.

    Raises:
        LimitsError: The file is not there, not YAML, or lacks a value; the message names it.
    """
    try:
        return MonitorLimits.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, ValidationError) as cause:
        raise LimitsError(f"{path}: not a valid file of monitoring limits: {cause}") from cause
