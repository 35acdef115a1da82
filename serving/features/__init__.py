"""Contract in, matrix and ages out, one round trip."""
