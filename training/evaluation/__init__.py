"""Metrics with intervals, and the baselines that are always shown."""
