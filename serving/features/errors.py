"""What can be wrong with what the online store holds; no answer at all is `StoreUnavailable`."""

from __future__ import annotations

from serving.errors import ServingError


class StoreFormatError(ServingError):
    """The online store holds something else than the feature contract says."""

    def __init__(self, account_id: str, field: str, expected: str, found: bytes) -> None:
        """Name the account, the view and feature, what the contract expects and the bytes that were found."""
        super().__init__(
            f"the online store holds {found[:12].hex() or 'nothing'} for {field} of account {account_id!r}, "
            f"where the feature contract expects {expected}; "
            "apply and materialize the features that the model was trained on"
        )
        self.account_id = account_id
        self.field = field
