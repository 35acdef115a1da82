"""What can be wrong with a document of checks."""

from serving.errors import ServingError


class VerificationError(ServingError):
    """Checks of predictions can't be read, or speak of what there is not."""
