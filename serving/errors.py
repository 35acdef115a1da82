"""The exceptions of this package: every one is for the person who meets it and says what would be right.

`api/problems.py` is the one place that turns them into HTTP answers.
"""

from __future__ import annotations

from typing import Literal


class ServingError(Exception):
    """Base of all errors that this package raises on purpose."""


class BundleError(ServingError):
    """A bundle can't be found, read, or does not fit its own manifest or the store."""


StoreFault = Literal["timeout", "unreachable", "refused", "no_master", "uncovered"]


class StoreUnavailable(ServingError):  # noqa: N818 -- names the state that a caller meets, as the design does
    """The online store did not answer within the time that it was given."""

    def __init__(self, message: str, fault: StoreFault = "unreachable") -> None:
        """Say what happened to whom, never naming an account, and which kind of fault that is."""
        super().__init__(message)
        self.fault: StoreFault = fault

    @classmethod
    def refused(cls, server: str, reply: object) -> StoreUnavailable:
        """Return the error of a *server* whose *reply* was none; arguments that it quotes are left out."""
        said = str(reply).partition("'")[0].strip()
        return cls(f"the online store{server and f' at {server}'} refuses: {said}", "refused")


class UnknownAccount(ServingError):  # noqa: N818 -- names the state that a caller meets, as the design does
    """The online store holds nothing of an account."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"no features are known of account {account_id!r}")
        self.account_id = account_id


class ExactReasonsUnavailable(ServingError):  # noqa: N818 -- names the state that a caller meets
    """The bundle lacks what exact reasons are computed from."""


class CatalogueError(ServingError):
    """A catalogue can't be read, or contradicts itself."""


class PolicyError(ServingError):
    """A policy can't be read, or a rule of it can't hold for what it speaks of."""


class LedgerError(ServingError):
    """The ledger can't be opened, or what is asked of it can't be."""


class LedgerUnavailable(LedgerError):  # noqa: N818 -- names the state that a caller meets, as the design does
    """The ledger did not take or give an entry in time; nothing that needs a record can be answered."""


class EntryExists(LedgerError):  # noqa: N818 -- names the state that a caller meets
    """The ledger holds another entry of this kind with this id."""

    def __init__(self, kind: str, record_id: str) -> None:
        super().__init__(f"the ledger holds another {kind} {record_id!r}")
        self.kind = kind
        self.record_id = record_id


class EntryErased(LedgerError):  # noqa: N818 -- names the state that a caller meets
    """The entry's content was emptied, by erasure or retention."""

    def __init__(self, kind: str, record_id: str) -> None:
        super().__init__(f"the content of {kind} {record_id!r} was erased")
        self.kind = kind
        self.record_id = record_id


class SettingsError(ServingError):
    """A setting has a value that can't be used."""
