"""Starts the service anew as often as it is told to: `python -m tests.faults.reborn PORT`, then a line for each start.

Each service is `python -m serving` in a process of its own, forked after the imports, which would be most of the time
that a start takes. Its process id is said; a new one is started when the one before has ended.
"""

from __future__ import annotations

import importlib
import os
import sys

from serving.__main__ import main

for name in (
    "serving.app",
    "onnxruntime",
    "uvicorn.loops.auto",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
):
    importlib.import_module(name)


def start() -> int:
    """Return the process id of a new service."""
    process = os.fork()
    if process == 0:
        os.dup2(
            sys.stderr.fileno(), sys.stdout.fileno()
        )  # the service's log; our own output is read by a program
        main()
        os._exit(0)
    return process


if __name__ == "__main__":
    for _ in sys.stdin:
        service = start()
        sys.stdout.write(f"{service}\n")
        sys.stdout.flush()
        os.waitpid(service, 0)
