"""An account that may get every action, the packaged catalogue and policy, and short ways to simulate and apply."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from serving.actions.apply import Wish, apply
from serving.actions.simulate import Rules, fingerprint, simulate_action
from serving.actions.sources import Source, approvals_of, read_source
from serving.actions.types import Situation, TypedAction, draft
from serving.decisions.catalogue import load_catalogue
from serving.ledger.entry import Entry
from tests.serving.decisions.frames import POLICY, frame

if TYPE_CHECKING:
    from serving.decisions.frame import DecisionFrame
    from serving.ledger.ledger import Ledger

CATALOGUE = load_catalogue()
RULES = Rules(CATALOGUE, POLICY)
FITTING: dict[str, Any] = {
    "region": "europe",
    "locale": "de-DE",
    "segment": "smb",
    "incident_active": False,
    "days_to_term_end": 30,
    "touches_28d": 9,
    "seat_utilisation_ratio": 0.95,
}
"""What the conditions of most actions need."""


def account(*, features: dict[str, Any] | None = None, **changes: Any) -> DecisionFrame:
    """Return the frame of an account to which most of the packaged actions may be proposed."""
    return frame(features={**FITTING, **(features or {})}, **changes)


def situation(key: str, **changes: Any) -> Situation:
    """Return how the packaged action *key* stands to the account."""
    return RULES.situation(account(**changes), key)


def drafted(key: str, **changes: Any) -> tuple[TypedAction, Situation]:
    """Return the packaged action *key* written out, and the situation."""
    one = situation(key, **changes)
    return draft(one), one


async def simulated(
    ledger: Ledger, key: str, now_frame: DecisionFrame, actor: str = "ann", simulation_id: str = "sim_1"
) -> Source:
    """Simulate the packaged action *key*, record it and return it as a source."""
    action = draft(RULES.situation(now_frame, key))
    content = {
        **simulate_action(action, now_frame, RULES),
        "proposed_by": actor,
        "simulation_id": simulation_id,
    }
    await ledger.append(Entry("simulation", simulation_id, now_frame.account_id, now_frame.now, content))
    return await read_source(ledger, "simulation", simulation_id)


async def applied(
    ledger: Ledger,
    source: Source,
    now_frame: DecisionFrame,
    *,
    key: str = "key-1",
    actor: str = "ann",
    targets: tuple[str, ...] = ("log",),
    body: object = None,
) -> bytes:
    """Apply *source* by the packaged rules."""
    wish = Wish(key, fingerprint([source.source_id, actor, body]), actor)
    return await apply(
        ledger,
        wish,
        source,
        source.action(now_frame, RULES, None),
        now_frame,
        RULES,
        approvals=await approvals_of(ledger, source),
        targets=targets,
    )


def later(one: DecisionFrame, **by: float) -> DecisionFrame:
    """Return *one* some time later."""
    return dataclasses.replace(one, now=one.now + dt.timedelta(**by))
