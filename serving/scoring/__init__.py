"""Probabilities, score, tier, signals and evidence."""
