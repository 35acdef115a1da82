"""Which process runs which tests where `pytest -n` asks for several."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/e2e/",)
"""Folders whose files share what takes long to make."""


class ByFile(LoadFileScheduling):
    """Gives the tests of a file, or of a folder in `TOGETHER`, to one process, so that what they share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)
