"""The exceptions of this package: every one says what is wrong, where, and what would be right."""


class TrainingError(Exception):
    """Base of all errors that this package raises on purpose."""


class DefinitionsError(TrainingError):
    """The definitions file can't be read, or contradicts itself."""


class TooLittleDataError(TrainingError):
    """There are too few cutoffs, rows or events to train and judge a model honestly."""


class DatasetError(TrainingError):
    """Features and labels can't be joined into a training matrix."""


class LeakageError(TrainingError):
    """A feature knows the answer: alone it tells events from non-events almost perfectly."""


class LimitsError(TrainingError):
    """The file of promotion limits can't be read, or contradicts itself."""


class PromotionError(TrainingError):
    """A bundle can't be judged for promotion at all."""


class InUseError(TrainingError):
    """Another process is at the same work in the same folder."""
