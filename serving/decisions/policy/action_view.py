"""One action as it stands to one account: what the fields of an action are read from."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from serving.decisions.pricing import Quote, quote_of, terms_of

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action, Bundle, Catalogue
    from serving.decisions.frame import DecisionFrame


class ActionView:
    """An action, the account and the catalogue; what several fields need is worked out once, when it is asked for.

    Attributes:
        frame: The account.
        catalogue: The catalogue.
        action: One of its actions.
    """

    def __init__(self, frame: DecisionFrame, catalogue: Catalogue, action: Action) -> None:
        self.frame = frame
        self.catalogue = catalogue
        self.action = action

    @cached_property
    def quote(self) -> Quote | None:
        """What the action asks of the account; None if it asks for no price, or plan or seats are not known."""
        terms = terms_of(self.frame, self.catalogue)
        return None if terms is None else quote_of(self.catalogue, self.action, terms)

    @cached_property
    def bundle(self) -> Bundle | None:
        """The bundle that the action sells, or None."""
        return self.catalogue.bundles_by_key.get(str(self.action.parameters.get("bundle")))
