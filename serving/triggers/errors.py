"""What is wrong with playbooks."""

from serving.errors import ServingError


class PlaybooksError(ServingError):
    """Playbooks can't be read, or speak of fields, actions or playbooks that there are not."""
