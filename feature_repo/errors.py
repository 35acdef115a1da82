"""The exceptions of this package: every one is for the person who meets it and says what would be right."""


class FeatureRepoError(Exception):
    """Base of all errors that this package raises on purpose."""


class DataFolderError(FeatureRepoError):
    """A data folder, or a file in it, can't be read as the raw-table contract asks."""


class ContractError(FeatureRepoError):
    """A feature contract is malformed, or does not fit the store or the registry."""


class PipelineError(FeatureRepoError):
    """Features can't be built from the tables that are there."""


class ImportSourceError(FeatureRepoError):
    """A known public data set isn't laid out as its importer expects."""


class OnlineStoreError(FeatureRepoError):
    """The online store can't be reached, or rows can't be written to it as they are."""
