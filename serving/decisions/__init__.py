"""The catalogue and the next best action."""
