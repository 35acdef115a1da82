"""Tests of a policy that its authors write: a table of accounts and actions, and what should become of each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from serving.decisions.frame import DecisionFrame, EvidenceStatus
from serving.decisions.policy.stages import RULE_STAGES
from serving.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serving.decisions.catalogue import Catalogue
    from serving.decisions.policy.compiled import Policy
    from serving.decisions.policy.field import Field as PolicyField

PACKAGED_CASES = Path(__file__).with_name("policy.tests.yaml")
PASSES = "passes"

Value = bool | float | str | None


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Case(_Value):
    """One account, one action, and the reason code that should stop it, or `passes`."""

    name: str = Field(min_length=1)
    action: str = Field(description="Key of an action of the catalogue.")
    expect: str = Field(description="Reason code of the rule that stops the action, or `passes`.")
    account: dict[str, Value] = Field(
        default_factory=dict, description="Features that differ from the file's."
    )
    now: AwareDatetime | None = None
    surface: str | None = None
    evidence: Literal["full", "thin", "stale"] = "full"


class CaseFile(_Value):
    """Cases of one file, with the account that they all start from."""

    account: dict[str, Value] = Field(description="Features of an account that all actions may reach.")
    now: AwareDatetime
    churn_probability: dict[str, float] = Field(default_factory=lambda: {"30d": 0.1, "60d": 0.2, "90d": 0.3})
    upsell_probability: dict[str, float] = Field(default_factory=lambda: {"30d": 0.1, "60d": 0.2, "90d": 0.3})
    score_horizon: str = "90d"
    cases: tuple[Case, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case.

    Attributes:
        case: The case.
        found: Reason code of the rule that stopped the action, or `passes`.
        text: The rule's sentence, or nothing.
    """

    case: Case
    found: str
    text: str

    @property
    def ok(self) -> bool:
        """Whether it is what was expected."""
        return self.found == self.case.expect


def load_cases(path: Path) -> CaseFile:
    """Read a file of cases.

    Raises:
        PolicyError: It can't be read as one.
    """
    try:
        return CaseFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyError(f"{path}: can't be read: {error}") from error
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise PolicyError(f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error


def run_cases(
    file: CaseFile, policy: Policy, catalogue: Catalogue, fields: Mapping[str, PolicyField]
) -> Iterator[Outcome]:
    """Yield what becomes of each case of *file*.

    The catalogue's own conditions of an action and its value are not looked at: the policy alone is tested.

    Raises:
        PolicyError: A case names an action or a feature that there is not.
    """
    actions = {action.key: action for action in catalogue.actions}
    for case in file.cases:
        if case.action not in actions:
            raise PolicyError(
                f"case {case.name!r}: catalogue {catalogue.name!r} has no action {case.action!r}"
            )
        features = {**file.account, **case.account}
        unknown = [name for name in features if name not in fields]
        if unknown:
            raise PolicyError(f"case {case.name!r}: no such feature: {', '.join(unknown)}")
        frame = frame_of_case(
            features,
            case.now or file.now,
            churn_probability=file.churn_probability,
            upsell_probability=file.upsell_probability,
            score_horizon=file.score_horizon,
            evidence=case.evidence,
            surface=case.surface,
        )
        fault = policy.about(frame, catalogue).about(actions[case.action]).first_fault(RULE_STAGES)
        yield Outcome(case, PASSES if fault is None else fault.rule, "" if fault is None else fault.text)


def frame_of_case(
    features: Mapping[str, Value],
    now: dt.datetime,
    *,
    churn_probability: Mapping[str, float],
    upsell_probability: Mapping[str, float],
    score_horizon: str,
    evidence: EvidenceStatus,
    surface: str | None = None,
) -> DecisionFrame:
    """Return the frame of an account that a case describes, scored by no model.

    Args:
        features: By name.
        now: The time, aware.
        churn_probability: By horizon (`30d`).
        upsell_probability: Likewise.
        score_horizon: The scored horizon.
        evidence: Status of the evidence.
        surface: Where an action would be shown; None for anywhere.
    """
    return DecisionFrame(
        account_id="case",
        now=now.astimezone(dt.UTC),
        surface=surface,
        features=features,
        churn_probability=churn_probability,
        upsell_probability=upsell_probability,
        score_horizon=score_horizon,
        evidence_status=evidence,
        evidence={"status": evidence},
        fresh_until=None,
        model="none",
        feature_contract="none",
    )
