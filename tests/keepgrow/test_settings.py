"""Settings are documented, printed with their sources, and never give a password away."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from keepgrow.__main__ import build_app
from keepgrow.settings import PARTS, reference, sentences, variable

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("part", [part for _, part in PARTS], ids=lambda part: part.__name__)
def test_every_setting_has_a_sentence(part):
    """No field of a settings class lacks the sentence that documents it."""
    assert set(part.model_fields) == set(sentences(part))


def test_the_reference_page_is_current():
    """The page in docs/ is what `keepgrow settings --markdown` prints."""
    assert (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8") == reference()


def test_a_value_from_the_environment_is_named_and_its_password_hidden(monkeypatch):
    """The command shows the source of a value, and `***` for the user and password of an address."""
    monkeypatch.setenv("REDIS_URL", "redis://me:hunter2@127.0.0.1:1/0")
    printed = CliRunner().invoke(build_app("settings"), ["settings"], terminal_width=200).output
    assert "hunter2" not in printed
    assert "environment" in printed


def test_variables_carry_the_prefix():
    """A field's variable is its alias, or the prefix and its name in capitals."""
    names = {variable(part, field) for _, part in PARTS for field in part.model_fields}
    assert {"REDIS_URL", "KEEPGROW_MODEL", "KEEPGROW_TRAINING_NUM_THREADS"} <= names
