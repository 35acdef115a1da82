"""One action as it stands to one account: what the fields of an action are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.decisions.pricing import PRICED_TYPES, Quote, quote_of, terms_of

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action, Bundle, Catalogue
    from serving.decisions.frame import DecisionFrame

UNSEEN: Final = object()


class ActionView:
    """An action, the account and the catalogue; its price is worked out once, when it is asked for.

    Attributes:
        frame: The account.
        catalogue: The catalogue.
        action: One of its actions.
    """

    __slots__ = ("_quote", "action", "catalogue", "frame")

    def __init__(self, frame: DecisionFrame, catalogue: Catalogue, action: Action) -> None:
        self.frame = frame
        self.catalogue = catalogue
        self.action = action
        self._quote: object = UNSEEN

    @property
    def quote(self) -> Quote | None:
        """What the action asks of the account; None if it asks for no price, or plan or seats are not known."""
        found = self._quote
        if found is UNSEEN:
            found = self._quote = self._quoted()
        return found if isinstance(found, Quote) else None

    @property
    def bundle(self) -> Bundle | None:
        """The bundle that the action sells, or None."""
        return self.catalogue.bundles_by_key.get(str(self.action.parameters.get("bundle")))

    def _quoted(self) -> Quote | None:
        if self.action.type not in PRICED_TYPES:
            return None
        terms = terms_of(self.frame, self.catalogue)
        return None if terms is None else quote_of(self.catalogue, self.action, terms)
