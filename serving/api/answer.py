"""What the forms of all answers have in common; see `responses`."""

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """The form of an answer or a part of one; a later release may add members."""

    model_config = ConfigDict(extra="allow")


def is_none(value: object) -> bool:
    """Return whether *value* is None: what is left out of an answer where it is not told."""
    return value is None
