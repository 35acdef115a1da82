"""Random streams: each purpose of each block of accounts has its own, so no order of work matters."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for; the numbers are part of the world's definition."""

    INCIDENTS = 1
    ACCOUNTS = 2
    LIFECYCLE = 3
    USAGE = 4
    FEATURE_USAGE = 5
    TICKETS = 6
    INVOICES = 7
    ENGAGEMENTS = 8
    TREATMENTS = 9
    TRUTH = 10
    TRUTH_TREATMENTS = 11


def stream(seed: int, purpose: Purpose, block: int = 0, part: int = 0) -> np.random.Generator:
    """Return the generator of *purpose* for a *block* (and a *part* of it) in the world of *seed*."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(purpose), block, part])))
