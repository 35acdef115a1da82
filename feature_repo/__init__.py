"""Raw-table contract, importers, the feature pipeline and the Feast definitions.

Imports nothing else of Keepgrow's, so that serving and training can both rest on it.
"""
