"""HTTP only: one resource a module."""
