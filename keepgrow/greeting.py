"""What `keepgrow up` says when the service answers: where to look, and lines to paste that show something."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Console

from serving.decisions.holdouts import GLOBAL
from serving.decisions.policy.document import load_policy
from serving.settings import load_settings

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from serving.decisions.holdouts import Holdouts

LOOK_SECONDS: Final = 20.0
"""Longest time to look for an account that gets an action; the service runs meanwhile."""


def example_account(account_ids: Iterable[str], holdouts: Holdouts) -> str:
    """Return the first of *account_ids* that is not held out of all actions, or the first; nothing if there is none."""
    first = ""
    for account_id in account_ids:
        first = first or account_id
        if GLOBAL not in holdouts.of(account_id):
            return account_id
    return first


@dataclass(frozen=True, slots=True)
class Shown:
    """What the lines to paste show.

    Attributes:
        account_id: An account.
        surface: Where an action would be put before it.
        action: Key of the action that it gets there; None if it gets none, or if nobody knows.
        known: Whether that was looked up.
    """

    account_id: str
    surface: str = "in_app"
    action: str | None = None
    known: bool = False


def shown_account(account_ids: Path, env: Mapping[str, str]) -> Shown:
    """Return the account to show: one that gets an action now, as far as that can be found out without recording.

    Args:
        account_ids: File with an account id a line.
        env: Environment of the service.

    Raises:
        PolicyError: `KEEPGROW_POLICY` names a file that can't be read.
        SettingsError: A setting of the service can't be used.
    """
    command = [sys.executable, "-m", "keepgrow.example", str(account_ids)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(  # noqa: S603 -- our own module
            command, env={**os.environ, **env}, capture_output=True, timeout=LOOK_SECONDS, check=False
        )
        found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
        if found is not None:
            return Shown(found["account_id"], found["surface"], found["action"], known=True)
    holdouts = load_policy(load_settings().policy).holdouts
    with account_ids.open(encoding="utf-8") as lines:
        return Shown(example_account((line.strip() for line in lines), holdouts))


def greet(
    url: str,
    *,
    world: str,
    model: str,
    account_ids: Path,
    clock_start: dt.datetime | None,
    seconds: float,
    env: Mapping[str, str],
) -> None:
    """Print where the service is, and `curl` lines about an account that gets an action.

    Args:
        url: Address of the service.
        world: What data it serves, in words.
        model: Tag of the bundle.
        account_ids: File with an account id a line.
        clock_start: Where the service's clock starts, if not at the machine's time.
        seconds: How long it took to start.
        env: Environment of the service.

    Raises:
        PolicyError: `KEEPGROW_POLICY` names a file that can't be read.
        SettingsError: A setting of the service can't be used.
    """
    shown = shown_account(account_ids, env)
    account = shown.account_id
    say = Console(highlight=False, soft_wrap=True).print
    say(f"\n[bold green]Ready[/] after {seconds:.1f} s: {model} on {world}")
    if clock_start is not None:
        say(f"The data ends before today, so the service's clock starts at {clock_start:%Y-%m-%d %H:%M} UTC "
            '(answers say "clock": "demonstration").')  # fmt: skip
    say(
        f"\n  documentation  {url}/docs\n  model card     {url}/models/{model}\n  metrics        {url}/metrics\n"
    )
    for path, body in (
        ("/v1/score", f'{{"account_id": "{account}"}}'),
        ("/v1/next-best-action", f'{{"account_id": "{account}", "surface": "{shown.surface}"}}'),
    ):
        say(f"  curl -s {url}{path} -H 'content-type: application/json' -d '{body}'", markup=False)
    say(f"  curl -s {url}/v1/accounts/{account}")
    if shown.action is not None:
        say(f"\nOn {shown.surface} it gets {shown.action} now.", markup=False)
    elif shown.known:
        say("\nNo account that was looked at gets an action now; the answer says why.", markup=False)
    say("\nCtrl-C stops everything.", markup=False)
