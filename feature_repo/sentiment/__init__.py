"""Offline scoring of ticket text to a mood from -1 to 1."""
