"""Whether a process still runs, asked of the system by its number."""

from __future__ import annotations

import os


def is_running(pid: int) -> bool:
    """Return whether a process with this number runs, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
