"""`dataset.yaml`: the few facts about a data folder that no table can say.

The file is optional. Without it the end of data is the last usage day, and plans are ordered by their price.
"""

import datetime as dt
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from feature_repo.errors import DataFolderError

FILE_NAME = "dataset.yaml"


class DatasetInfo(BaseModel):
    """Facts about one data folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="data", description="Short name of the data set.")
    synthetic: bool = Field(default=False, description="Whether a simulation made it; reports then say so.")
    end_day: dt.date | None = Field(
        default=None, description="Last day (UTC) for which the data is complete."
    )
    plan_order: tuple[str, ...] = Field(default=(), description="Plans from smallest to largest.")


def load_dataset_info(folder: Path) -> DatasetInfo:
    """Read `dataset.yaml` from *folder*, or return the defaults if it is not there.

    Raises:
        DataFolderError: The file is not YAML, or not of this form.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return DatasetInfo(name=folder.resolve().name)
    try:
        return DatasetInfo.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        raise DataFolderError(f"{path}: not a valid {FILE_NAME}: {error}") from error


def save_dataset_info(info: DatasetInfo, folder: Path) -> None:
    """Write *info* as `dataset.yaml` into *folder*."""
    text = yaml.safe_dump(info.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
