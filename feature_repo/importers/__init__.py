"""Importers of known public data sets to raw tables."""
