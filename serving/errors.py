"""The exceptions of this package: every one is for the person who meets it and says what would be right.

`api/problems.py` is the one place that turns them into HTTP answers.
"""

from __future__ import annotations


class ServingError(Exception):
    """Base of all errors that this package raises on purpose."""


class BundleError(ServingError):
    """A bundle can't be found, read, or does not fit its own manifest or the store."""


class StoreUnavailable(ServingError):  # noqa: N818 -- names the state that a caller meets, as the design does
    """The online store did not answer within the time that it was given."""


class UnknownAccount(ServingError):  # noqa: N818 -- names the state that a caller meets, as the design does
    """The online store holds nothing of an account."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"no features are known of account {account_id!r}")
        self.account_id = account_id


class CatalogueError(ServingError):
    """A catalogue can't be read, or contradicts itself."""


class SettingsError(ServingError):
    """A setting has a value that can't be used."""
