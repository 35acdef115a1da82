"""A kind of failure, with the `type` by which clients know it for good."""

from __future__ import annotations

from dataclasses import dataclass

URN = "urn:keepgrow:problem:"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A kind of failure.

    Attributes:
        name: Last part of its `type`.
        status: HTTP status.
        title: The same short sentence each time.
        outcome: What metrics count it as.
        meaning: What it means and what to do, for the reference.
    """

    name: str
    status: int
    title: str
    outcome: str
    meaning: str

    @property
    def type(self) -> str:
        """The URI that identifies this kind for good."""
        return URN + self.name
