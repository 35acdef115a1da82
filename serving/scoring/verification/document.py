"""Checks of predictions as people write them: a YAML file. Here is its form; what `when` may say is in `expression`."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from feature_repo.contract import canonical_hash
from serving.decisions.cover import CODE
from serving.decisions.documents import naming_faults, read_document
from serving.scoring.verification.errors import VerificationError

PACKAGED_VERIFICATION: Final = Path(__file__).with_name("verification.yaml")
MOST_CHECKS: Final = 32
"""What fails an account is one number with a bit a check."""
Concern = Literal["churn", "upsell", "amount"]
Effect = Literal["thin", "note"]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Value):
    """One check: a condition that contradicts what was predicted."""

    id: str = Field(pattern=CODE, description="Unique name.")
    concerns: Concern = Field(description="Which prediction is in doubt.")
    when: str = Field(
        min_length=1,
        description="CEL expression over numbers and yes-or-no features of the account and over predictions; the check "
        "fails where it is true.",
    )
    effect: Effect = Field(
        description="`thin`: the account's evidence is thin, and decisions abstain; `note`: it is shown."
    )
    text: str = Field(min_length=1, description="What is contradicted, in a sentence for people.")

    def shown(self) -> dict[str, str]:
        """Return what an answer says of an account that fails the check."""
        return {"id": self.id, "concerns": self.concerns, "effect": self.effect, "text": self.text}


class VerificationDocument(_Value):
    """Everything of one file."""

    version: Literal[1] = 1
    name: str = Field(min_length=1, description="Short name of the file's content.")
    checks: tuple[Check, ...] = Field(max_length=MOST_CHECKS)

    @model_validator(mode="after")
    def _names_are_unique(self) -> VerificationDocument:
        twice = sorted(
            name for name, times in Counter(check.id for check in self.checks).items() if times > 1
        )
        if twice:
            raise ValueError(f"checks are given twice: {', '.join(twice)}")
        return self

    @cached_property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON; comments and layout of the file do not change it."""
        return canonical_hash(self.model_dump(mode="json"))


def parse_verification(text: str, source: str) -> VerificationDocument:
    """Return the checks that YAML *text* holds; *source* names it in errors.

    Raises:
        VerificationError: The text is not YAML or not of this form; every fault is named with its place.
    """
    with naming_faults(source, "verification", VerificationError):
        return VerificationDocument.model_validate(yaml.safe_load(text))


def load_verification(path: Path | None = None) -> VerificationDocument:
    """Read the checks at *path*, or the packaged ones.

    Raises:
        VerificationError: There is no such file, or it can't be read as checks.
    """
    path = path or PACKAGED_VERIFICATION
    return parse_verification(read_document(path, "file of checks", VerificationError), str(path))
