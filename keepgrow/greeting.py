"""What `keepgrow up` says when the service answers: where to look, and lines to paste that show something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from serving.decisions.holdouts import GLOBAL
from serving.decisions.policy.document import load_policy
from serving.settings import load_settings

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from pathlib import Path

    from serving.decisions.holdouts import Holdouts


def example_account(account_ids: Iterable[str], holdouts: Holdouts) -> str:
    """Return the first of *account_ids* that is not held out of all actions, or the first; nothing if there is none."""
    first = ""
    for account_id in account_ids:
        first = first or account_id
        if GLOBAL not in holdouts.of(account_id):
            return account_id
    return first


def greet(
    url: str, *, world: str, model: str, account_ids: Path, clock_start: dt.datetime | None, seconds: float
) -> None:
    """Print where the service is, and `curl` lines about an account that may get an action.

    Args:
        url: Address of the service.
        world: What data it serves, in words.
        model: Tag of the bundle.
        account_ids: File with an account id a line.
        clock_start: Where the service's clock starts, if not at the machine's time.
        seconds: How long it took to start.

    Raises:
        PolicyError: `KEEPGROW_POLICY` names a file that can't be read.
        SettingsError: A setting of the service can't be used.
    """
    holdouts = load_policy(load_settings().policy).holdouts
    with account_ids.open(encoding="utf-8") as lines:
        account = example_account((line.strip() for line in lines), holdouts)
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
        ("/v1/next-best-action", f'{{"account_id": "{account}", "surface": "in_app"}}'),
    ):
        say(f"  curl -s {url}{path} -H 'content-type: application/json' -d '{body}'", markup=False)
    say(f"  curl -s {url}/v1/accounts/{account}\n\nCtrl-C stops everything.", markup=False)
