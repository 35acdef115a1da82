"""The files of a bundle."""

from __future__ import annotations

import hashlib

MANIFEST_FILE = "manifest.json"
GRAPH_FILE = "bundle.onnx"
BOOSTERS_FOLDER = "boosters"
"""Holds the LightGBM text of each interval: `boosters/churn_30d.txt`."""


def hash_of(content: bytes) -> str:
    """Return `sha256:` and the digest of a file's *content*."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
