"""Every fault of a catalogue file at once, for those who write it: form and contradictions together."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError

from serving.decisions.catalogue.document import Catalogue, ContradictionsError
from serving.decisions.catalogue.reading import completed
from serving.errors import CatalogueError


def faults_in(text: str, source: str) -> list[str]:
    """Return a sentence for every fault of the catalogue that YAML *text* holds; empty if it can be used.

    Parts whose form is wrong are left out when contradictions are looked for, and so is what speaks of them.

    Args:
        text: The file's text.
        source: Names it.
    """
    try:
        content = completed(yaml.safe_load(text), source)
    except yaml.YAMLError as error:
        return [f"not YAML: {error}"]
    except CatalogueError as error:
        return [str(error).removeprefix(f"{source}: ")]
    form, found, broken = _validated(content)
    if not form or not isinstance(content, dict):
        return form + found
    left = {
        name: [one for index, one in enumerate(value) if (name, index) not in broken]
        if isinstance(value, list)
        else value
        for name, value in content.items()
        if (name, None) not in broken
    }
    names = [repr(_key(content[name][index])) for name, index in broken if index is not None]
    _, found, _ = _validated(left)
    return form + [fault for fault in found if not any(name in fault for name in names)]


def _validated(content: Any) -> tuple[list[str], list[str], set[tuple[str, int | None]]]:  # noqa: ANN401 -- whatever the file held
    """Return the faults of form, the contradictions, and the parts (section, index) whose form is wrong."""
    try:
        Catalogue.model_validate(content)
    except ValidationError as error:
        form: list[str] = []
        found: list[str] = []
        broken: set[tuple[str, int | None]] = set()
        for fault in error.errors(include_url=False):
            cause = fault.get("ctx", {}).get("error")
            if isinstance(cause, ContradictionsError):
                found += cause.faults
                continue
            place = fault["loc"]
            form.append(f"{'.'.join(map(str, place)) or 'catalogue'}: {fault['msg']}")
            if place:
                index = place[1] if len(place) > 1 and isinstance(place[1], int) else None
                broken.add((str(place[0]), index))
        return form, found, broken
    return [], [], set()


def _key(part: Any) -> object:  # noqa: ANN401 -- whatever the file held
    return part.get("key", part.get("item")) if isinstance(part, dict) else part
