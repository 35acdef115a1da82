"""Declared priors of the catalogue's actions, as training shrinks uplift to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from training.heads.uplift.declared import shared_prior

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.decisions.catalogue import Action, Catalogue
    from training.heads.uplift.shrinkage import Prior

Outcome = Literal["retained", "expanded", "returned"]

_DECLARED: Final[dict[Outcome, str]] = {"retained": "retain", "expanded": "expand", "returned": "win_back"}


def declared_priors(catalogue: Catalogue) -> dict[tuple[str, str], Prior]:
    """Return priors by (action, outcome), under every action's key and under its type.

    A table of treatments may name either. Several actions of one type share a prior there: the mean of their means,
    as unsure as the most unsure of them and as their means lie apart. `retain` is relative to the account's churn
    probability, `expand` and `win_back` absolute. What an action does not declare (a standard deviation of 0) has no
    prior here.
    """
    found: dict[tuple[str, str], Prior] = {}
    types: dict[str, list[Action]] = {}
    for action in catalogue.actions:
        types.setdefault(action.type, []).append(action)
    groups = types | {action.key: [action] for action in catalogue.actions}
    for name, actions in groups.items():
        for outcome in _DECLARED:
            prior = _together(actions, outcome)
            if prior is not None:
                found[name, outcome] = prior
    return found


def _together(actions: Sequence[Action], outcome: Outcome) -> Prior | None:
    lifts = [getattr(action.priors, _DECLARED[outcome]) for action in actions]
    return shared_prior(
        [(lift.mean, lift.sd) for lift in lifts], "churn_probability" if outcome == "retained" else "absolute"
    )
