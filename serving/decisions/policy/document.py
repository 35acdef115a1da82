"""A policy as people write it: a YAML file of rules. Here is its form; `compiled` makes it run."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from feature_repo.contract import canonical_hash
from serving.decisions.arms import Arms
from serving.decisions.autonomy import Autonomy
from serving.decisions.caps import Cap
from serving.decisions.cover import CODE, Cover
from serving.decisions.documents import naming_faults, read_document
from serving.decisions.holdouts import Holdouts
from serving.decisions.policy.exceptions import ContractException
from serving.decisions.policy.regions import Regions
from serving.decisions.policy.release import ReleaseWindow
from serving.decisions.policy.stages import RuleStage
from serving.errors import PolicyError

PACKAGED_POLICY = Path(__file__).with_name("policy.yaml")


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Missing(_Value):
    """What is said when a value that a rule needs is not known."""

    reason_code: str = Field(pattern=CODE)
    text: str = Field(min_length=1)


class Rule(_Value):
    """One rule: an action that it covers goes on only while `require` is true."""

    id: str = Field(pattern=CODE, description="Unique name.")
    stage: RuleStage = Field(description="When it is looked at.")
    covers: Cover = Field(default=Cover(), description="Actions that it holds for; nothing given: all.")
    require: str = Field(min_length=1, description="CEL expression that must be true.")
    reason_code: str = Field(pattern=CODE, description="Code that a refusal bears.")
    text: str = Field(
        min_length=1, description="The refusal in a sentence; `{field}` stands for a field's value."
    )
    missing: Missing | None = Field(
        default=None, description="What is said when a field is not known; a sentence is made if not given."
    )
    may_be_missing: tuple[str, ...] = Field(
        default=(), description="Fields that the expression compares with `null` itself."
    )
    safer_alternative: Cover | None = Field(
        default=None, description="Actions to point to instead, if one of them stands."
    )


class PolicyDocument(_Value):
    """All rules of one policy, in the order in which they are looked at within a stage."""

    version: Literal[1] = 1
    name: str = Field(min_length=1, description="Short name of the policy.")
    holdouts: Holdouts = Field(default=Holdouts(), description="Accounts that get no action, to measure by.")
    arms: Arms = Field(
        default=Arms(), description="Accounts that are decided about in a simpler way, likewise."
    )
    non_discount_first: bool = Field(
        default=False,
        description="Whether an action that gives a discount waits while one fits that gives none and has its aim.",
    )
    autonomy: Autonomy = Field(default=Autonomy(), description="How far actions may go without a person.")
    # sections of the business
    exceptions: tuple[ContractException, ...] = Field(
        default=(), description="What contracts say otherwise of some accounts."
    )
    release_windows: tuple[ReleaseWindow, ...] = Field(default=(), description="When actions may go out.")
    regions: Regions = Field(default=Regions(), description="About whose accounts may be decided at all.")
    rules: tuple[Rule, ...] = Field(min_length=1)
    caps: tuple[Cap, ...] = Field(default=(), description="Frequency caps and budgets.")
    hold_minutes: int = Field(
        default=60,
        gt=0,
        description="After this, what an action uses of caps is given back unless it was shown.",
    )

    @model_validator(mode="after")
    def _unique(self) -> PolicyDocument:
        names = Counter([*(rule.id for rule in self.rules), *(cap.id for cap in self.caps)])
        twice = [name for name, times in names.items() if times > 1]
        if twice:
            raise ValueError(f"ids are given twice: {', '.join(sorted(twice))}")
        return self

    @cached_property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON; comments and layout of the file do not change it."""
        return canonical_hash(self.model_dump(mode="json"))


def parse_policy(text: str, source: str) -> PolicyDocument:
    """Return the policy that YAML *text* holds; *source* names it in errors.

    Raises:
        PolicyError: The text is not YAML or not of this form.
    """
    with naming_faults(source, "policy", PolicyError):
        return PolicyDocument.model_validate(yaml.safe_load(text))


def load_policy(path: Path | None = None) -> PolicyDocument:
    """Read the policy at *path*, or the packaged one.

    Raises:
        PolicyError: There is no such file, or it can't be read as a policy.
    """
    path = path or PACKAGED_POLICY
    return parse_policy(read_document(path, "policy", PolicyError), str(path))
