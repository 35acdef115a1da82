"""What settings name, read and checked against each other: the bundle to serve, policy and playbooks that fit it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from serving.bundle.store import MODEL_NAME, find_bundle, has_champion
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy
from serving.decisions.policy.fields import fields_of
from serving.errors import CatalogueError
from serving.triggers.document import load_playbooks
from serving.triggers.fitting import fitted

if TYPE_CHECKING:
    from pathlib import Path

    from serving.bundle.loader import Bundle
    from serving.decisions.catalogue import Catalogue
    from serving.triggers.compiled import Playbooks

log = structlog.get_logger("keepgrow.configured")


def bundle_to_serve(model: str) -> Path:
    """Return the folder of the bundle with the tag *model*, and warn in the log where none was judged.

    Raises:
        BundleError: There is no such bundle.
    """
    path = find_bundle(model)
    if model == MODEL_NAME and not has_champion():
        log.warning(
            "no_champion",
            model=f"{MODEL_NAME}:{path.name}",
            reason="no bundle was promoted yet, so the latest is served; `keepgrow promote` judges and promotes one",
        )
    return path


def fitting_policy(path: Path | None, catalogue: Catalogue, bundle: Bundle) -> Policy:
    """Return the policy at *path*, or the packaged one, after all three were checked against each other.

    Raises:
        CatalogueError: An action speaks of features that the bundle's contract lacks, or amounts are in another
            currency than the accounts' MRR.
        PolicyError: The policy can't be read, or speaks of fields or actions that there are not.
    """
    check_conditions(catalogue, bundle)
    check_currency(catalogue, bundle)
    policy = Policy(load_policy(path), fields_of(bundle.manifest))
    policy.require_actions(catalogue)
    return policy


def fitting_playbooks(path: Path | None, catalogue: Catalogue, bundle: Bundle) -> Playbooks:
    """Return the playbooks at *path*, or as much of the packaged ones as *catalogue* and features have.

    Raises:
        PlaybooksError: The file can't be read, or speaks of fields or actions that there are not.
    """
    playbooks, left_out = fitted(path, load_playbooks(path), fields_of(bundle.manifest), catalogue)
    if left_out:
        log.info("packaged_playbooks_cut_down", left_out=list(left_out))
    return playbooks


def check_currency(catalogue: Catalogue, bundle: Bundle) -> None:
    """Refuse a catalogue whose amounts are in another currency than the MRR that the bundle was trained on.

    Costs and prices are weighed against MRR, and MRR is shown in the catalogue's currency; nothing is converted. A
    bundle of an earlier release does not tell its currency, and is taken to be in the catalogue's.

    Raises:
        CatalogueError: They differ.
    """
    told = bundle.manifest.currency
    if told is not None and told != catalogue.currency:
        raise CatalogueError(
            f"catalogue {catalogue.name!r} is in {catalogue.currency}, and the MRR that {bundle.tag} was trained on is "
            f"in {told}; nothing is converted. Write the catalogue in {told}, or bring `subscriptions` into "
            f"{catalogue.currency} and train again"
        )


def check_conditions(catalogue: Catalogue, bundle: Bundle) -> None:
    """Refuse a catalogue whose actions speak of features that the bundle's contract lacks.

    Raises:
        CatalogueError: With every action and feature that does not fit.
    """
    known = {feature.name for feature in bundle.manifest.contract.features if feature.dtype != "String"}
    known |= {
        f"{head.name}_probability_{days}d" for head in bundle.manifest.heads for days in head.horizons_days
    }
    faults = [
        f"action {action.key!r} has a condition on {condition.feature!r}"
        for action in catalogue.actions
        for condition in (*action.requires.all, *action.requires.any)
        if condition.feature not in known
    ]
    if faults:
        raise CatalogueError(
            f"catalogue {catalogue.name!r}: {'; '.join(faults)}, which is no number in the feature contract "
            f"of {bundle.tag} and none of its probabilities"
        )
