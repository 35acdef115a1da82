"""Reads a YAML file into one of the values that steer a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

    from training.errors import TrainingError

Value = TypeVar("Value", bound=BaseModel)


def load_value(path: Path, form: type[Value], kind: str, error: type[TrainingError]) -> Value:
    """Return the value that the YAML file at *path* holds.

    Args:
        path: The file; an empty one gives the defaults.
        form: What it should be.
        kind: The same in words.
        error: What to raise.

    Raises:
        TrainingError: An *error*: the file is not there, not YAML, or not of this form; the message names the field.
    """
    try:
        return form.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError, UnicodeDecodeError, ValidationError) as cause:
        raise error(f"{path}: not a valid {kind}: {cause}") from cause
