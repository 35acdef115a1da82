"""The Feast feature views, one a module."""
