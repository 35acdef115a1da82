"""A process that writes to a ledger: `python -m tests.serving.ledger.process URL NAME COUNT`.

It says `ready` and waits for a line, so that several begin together. Each entry is said on standard output once
`append` has returned, so whoever kills the process knows what was returned.
"""

from __future__ import annotations

import asyncio
import sys

from serving.ledger.ledger import Ledger
from tests.serving.ledger.conftest import entry

TOGETHER = 4


async def main(url: str, name: str, count: int) -> None:
    """Append *count* entries, some at a time."""
    ledger = Ledger(url, timeout_seconds=20)
    await ledger.open()

    async def write(first: int) -> None:
        for number in range(first, count, TOGETHER):
            await ledger.append(entry(number, f"account-{number % 5}", name))
            sys.stdout.write(f"{name}-{number}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write(first) for first in range(TOGETHER)))
    await ledger.close()


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
