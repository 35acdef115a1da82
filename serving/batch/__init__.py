"""Arrow in, Arrow out: the same scoring over offline features."""
