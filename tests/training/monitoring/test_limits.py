"""Limits of monitoring come from a file that names all of them."""

from __future__ import annotations

import pytest
import yaml

from training.errors import LimitsError
from training.monitoring.limits import LIMITS_FILE, MonitorLimits, load_monitor_limits


def test_the_shipped_file_says_all():
    """It is read, no limit has a default, and each is explained by a comment above it."""
    values = yaml.safe_load(LIMITS_FILE.read_text(encoding="utf-8"))
    assert load_monitor_limits().model_dump() == values
    assert all(field.is_required() for field in MonitorLimits.model_fields.values())


def test_what_is_missing_unknown_or_no_limit_is_named(tmp_path):
    """The message has the file and the field."""
    values = load_monitor_limits().model_dump()
    for name, wrong in (("max_psi", None), ("max_psi", -1), ("most", 3)):
        file = tmp_path / "limits.yaml"
        file.write_text(yaml.safe_dump(values | {name: wrong}), encoding="utf-8")
        with pytest.raises(LimitsError, match=rf"limits\.yaml(.|\n)*{name}"):
            load_monitor_limits(file)
    with pytest.raises(LimitsError, match=r"absent\.yaml"):
        load_monitor_limits(tmp_path / "absent.yaml")
