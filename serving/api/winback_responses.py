"""The form of what an answer says of an account that has left; see `responses`."""

from typing import Literal

from pydantic import Field

from serving.api.answer import Answer, is_none
from serving.api.value_responses import Interval
from serving.scoring.evidence import EvidenceReason


class WinbackEvidence(Answer):
    """What the chance of coming back rests on."""

    status: Literal["full", "thin", "stale"] = Field(
        description="As that of the score, but for what only doubts models of accounts with a subscription."
    )
    reasons: list[EvidenceReason]
    days_since_end: int = Field(description="Since its paid coverage ended.")
    ended_unpaid: bool | None = Field(
        description="Whether it ended for want of payment; null if nobody told why."
    )
    times_left: int | None = Field(description="How many times its paid coverage has ended.")


class WinbackAnswer(Answer):
    """The chance that an account that has left comes back."""

    probability: dict[str, float] = Field(
        description="Of a paid subscription beginning again within each horizon."
    )
    interval_90: dict[str, Interval] | None = Field(
        default=None,
        exclude_if=is_none,
        description="Central 90 % interval of each probability. Of several accounts with `intervals=true` only; not "
        "there if the bundle has none.",
    )
    mrr_at_end: float | None = Field(
        description="MRR with which it left, and that it would bring back; null if not known."
    )
    evidence: WinbackEvidence
