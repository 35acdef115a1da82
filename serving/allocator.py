"""What the C library's allocator does with memory that is given back: it stays for the next large answer.

An answer about 500 accounts takes some megabytes for a moment. By its own rules glibc may return them to the system
each time, and then every request gets them back page by page, by 500 to 800 page faults: 1.5 to 2 ms of its processor
time. Whether it does depends on what else happens to lie on the heap.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

KEPT_BYTES: Final = 16 << 20
"""So much free memory at the end of the heap is kept, and blocks below that size come from the heap."""
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Both as `malloc.h` of glibc has them."""


def keep_freed_memory() -> bool:
    """Keep up to `KEPT_BYTES` of memory that is given back; return whether the C library can be told so."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    return all(mallopt(what, KEPT_BYTES) == 1 for what in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))
