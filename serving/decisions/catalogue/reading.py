"""Reads a catalogue from YAML, and words what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from serving.decisions.catalogue.document import Catalogue
from serving.decisions.documents import naming_faults, read_document
from serving.errors import CatalogueError

PACKAGED_CATALOGUE: Final = Path(__file__).with_name("catalogue.yaml")
_OFFERINGS: Final = ("add_ons", "bundles", "price_bands")
_WORDS: Final = ("templates", "disclosures", "default_locale", "approvals")


def parse_catalogue(text: str, source: str) -> Catalogue:
    """Return the catalogue that YAML *text* holds; *source* names it in errors.

    A catalogue without `actions` gets those of the packaged one, and what they need, if it is in the same
    currency.

    Raises:
        CatalogueError: The text is not YAML, not of this form, or contradicts itself; every fault is named.
    """
    with naming_faults(source, "catalogue", CatalogueError):
        return Catalogue.model_validate(completed(yaml.safe_load(text), source))


def completed(content: Any, source: str) -> Any:  # noqa: ANN401 -- whatever the file held
    """Return *content* with the packaged actions, and what they need, if it has none of its own.

    Raises:
        CatalogueError: It has none, and the packaged ones are in another currency.
    """
    if isinstance(content, dict) and "actions" not in content:
        return {**_packaged_parts(content, source), **content}
    return content


def _packaged_parts(content: dict[str, Any], source: str) -> dict[str, Any]:
    packaged = yaml.safe_load(PACKAGED_CATALOGUE.read_text(encoding="utf-8"))
    if content.get("currency") != packaged["currency"]:
        raise CatalogueError(
            f"{source}: has no actions, and the packaged ones have costs in {packaged['currency']}, "
            f"not in {content.get('currency')!r}; give the catalogue actions of its own"
        )
    parts = {name: packaged[name] for name in ("actions", *_WORDS) if name in packaged}
    if not any(name in content for name in _OFFERINGS):
        plans = {plan["key"] for plan in packaged["plans"]}
        parts |= {name: packaged[name] for name in _OFFERINGS}
        parts["price_bands"] = [band for band in packaged["price_bands"] if band["item"] not in plans]
    return parts


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue at *path*, or the packaged one.

    Raises:
        CatalogueError: There is no such file, or it can't be read as a catalogue.
    """
    path = path or PACKAGED_CATALOGUE
    return parse_catalogue(read_document(path, "catalogue", CatalogueError), str(path))
