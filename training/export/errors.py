"""The exceptions of export: why a trained model can't become a bundle."""

from __future__ import annotations

from training.errors import TrainingError


class ExportError(TrainingError):
    """Base of all errors that export raises on purpose."""


class UnsupportedTreeError(ExportError):
    """A booster uses something that the exported graph can't say exactly."""


class ParityError(ExportError):
    """The exported graph and LightGBM give different probabilities."""
