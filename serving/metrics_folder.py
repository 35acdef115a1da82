"""The folder in which the workers of one server leave their counts for each other.

BentoML gives all servers of a machine the same folder and empties it whenever one starts, so that a second
server would wipe out the metrics of the first. Ours belongs to one parent process.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from serving.pids import is_running

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "keepgrow-metrics-"


def use_own_metrics_folder() -> None:
    """Point Prometheus' client of a BentoML worker at the folder of its own server; elsewhere do nothing."""
    if VARIABLE not in os.environ:
        return
    root = Path(tempfile.gettempdir())
    for folder in root.glob(f"{PREFIX}{os.getuid()}-*"):
        parent = folder.name.rpartition("-")[2]
        if parent.isdigit() and not is_running(int(parent)):
            shutil.rmtree(folder, ignore_errors=True)
    folder = root / f"{PREFIX}{os.getuid()}-{os.getppid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.stat().st_uid == os.getuid():
        os.environ[VARIABLE] = str(folder)
