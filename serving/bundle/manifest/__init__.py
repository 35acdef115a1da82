"""The bundle manifest: all that serving must know of a bundle besides its graph. Training writes it."""

from __future__ import annotations

from serving.bundle.manifest.effects import LEARNT_SLOPE_Z, LEARNT_WEIGHT, Effect, Effects, is_learnt
from serving.bundle.manifest.files import BOOSTERS_FOLDER, GRAPH_FILE, MANIFEST_FILE, hash_of
from serving.bundle.manifest.heads import Calibration, ContributionsBase, Encoding, Head, SupportValues
from serving.bundle.manifest.manifest import SCHEMA_VERSION, Manifest
from serving.bundle.manifest.origin import Parity, Provenance, StageCost, TrainingCost, TrainingWindow
from serving.bundle.manifest.outlook import AmountOutput, LongHorizon, TrajectoryOutput, Winback
from serving.bundle.manifest.tiers import TIER_TOP, Tier, require_cover

__all__ = [
    "BOOSTERS_FOLDER",
    "GRAPH_FILE",
    "LEARNT_SLOPE_Z",
    "LEARNT_WEIGHT",
    "MANIFEST_FILE",
    "SCHEMA_VERSION",
    "TIER_TOP",
    "AmountOutput",
    "Calibration",
    "ContributionsBase",
    "Effect",
    "Effects",
    "Encoding",
    "Head",
    "LongHorizon",
    "Manifest",
    "Parity",
    "Provenance",
    "StageCost",
    "SupportValues",
    "Tier",
    "TrainingCost",
    "TrainingWindow",
    "TrajectoryOutput",
    "Winback",
    "hash_of",
    "is_learnt",
    "require_cover",
]
