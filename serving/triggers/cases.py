"""Tests of triggers that their authors write: a table of accounts, what fires for each, and its stage of life."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from serving.decisions.documents import naming_faults, read_document
from serving.decisions.policy.cases import frame_of_case
from serving.triggers.conditions import LIFECYCLE_STAGE
from serving.triggers.errors import PlaybooksError
from serving.triggers.planning import plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serving.decisions.catalogue import Catalogue
    from serving.decisions.policy.fields import Field as PolicyField
    from serving.triggers.compiled import Playbooks

PACKAGED_CASES: Final = Path(__file__).with_name("playbooks.tests.yaml")
Value = bool | float | str | None


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Case(_Value):
    """One account, the triggers that fire for it, and if wanted its stage of life and which workflows are started."""

    name: str = Field(min_length=1)
    account: dict[str, Value] = Field(
        default_factory=dict, description="Features that differ from the file's."
    )
    churn_probability: dict[str, float] | None = Field(
        default=None, description="By horizon, if it differs from the file's."
    )
    fires: tuple[str, ...] = Field(description="Every trigger that fires, in the order of the playbooks.")
    stage: str | None = Field(default=None, description="The account's stage of life; not given: any.")
    starts: tuple[str, ...] | None = Field(
        default=None, description="Playbooks that are started; not given: any."
    )
    now: AwareDatetime | None = None
    evidence: Literal["full", "thin", "stale"] = "full"


class CaseFile(_Value):
    """Cases of one file, with the account that they all start from."""

    account: dict[str, Value] = Field(description="Features of an account for which nothing fires.")
    now: AwareDatetime
    churn_probability: dict[str, float] = Field(
        default_factory=lambda: {"30d": 0.02, "60d": 0.04, "90d": 0.06}
    )
    upsell_probability: dict[str, float] = Field(default_factory=lambda: {"30d": 0.1, "60d": 0.2, "90d": 0.3})
    score_horizon: str = "90d"
    cases: tuple[Case, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case.

    Attributes:
        case: The case.
        faults: What is otherwise than expected, in sentences.
    """

    case: Case
    faults: tuple[str, ...]


def load_cases(path: Path) -> CaseFile:
    """Read a file of cases.

    Raises:
        PlaybooksError: It can't be read, or is of another form.
    """
    text = read_document(path, "file of cases", PlaybooksError)
    with naming_faults(str(path), "cases", PlaybooksError):
        return CaseFile.model_validate(yaml.safe_load(text))


def run_cases(
    file: CaseFile, playbooks: Playbooks, catalogue: Catalogue, fields: Mapping[str, PolicyField]
) -> Iterator[Outcome]:
    """Yield what becomes of each case of *file*; the accounts have no workflows yet.

    Raises:
        PlaybooksError: A case names a feature, trigger, stage or playbook that there is not.
    """
    triggers = {trigger.trigger.id for trigger in playbooks.triggers}
    for case in file.cases:
        features = {**file.account, **case.account}
        unknown = [f"feature {name!r}" for name in features if name not in fields]
        unknown += [f"trigger {name!r}" for name in case.fires if name not in triggers]
        unknown += [f"playbook {name!r}" for name in case.starts or () if name not in playbooks.playbooks]
        if unknown:
            raise PlaybooksError(f"case {case.name!r}: there is no {', '.join(unknown)}")
        now = (case.now or file.now).astimezone(dt.UTC)
        frame = frame_of_case(
            features,
            now,
            churn_probability=case.churn_probability or file.churn_probability,
            upsell_probability=file.upsell_probability,
            score_horizon=file.score_horizon,
            evidence=case.evidence,
        )
        values = playbooks.values(frame, catalogue)
        planned = plan(playbooks, values, (), now, fresh=case.evidence != "stale")
        yield Outcome(
            case,
            tuple(
                f"{what}: expected {_shown(expected)}, found {_shown(found)}"
                for what, expected, found in (
                    ("fires", case.fires, planned.fired),
                    ("stage", case.stage, values[LIFECYCLE_STAGE]),
                    ("starts", case.starts, tuple(one.trigger.playbook for one in planned.starts)),
                )
                if expected is not None and expected != found
            ),
        )


def _shown(value: object) -> str:
    return (", ".join(value) or "nothing") if isinstance(value, tuple) else str(value)
