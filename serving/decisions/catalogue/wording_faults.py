"""Contradictions in what people read: locales that are missing, placeholders that nothing fills."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from serving.decisions.catalogue.readable import unreadable
from serving.decisions.catalogue.vocabulary import EVERY_TEMPLATE_VALUE, TEMPLATE_VALUES
from serving.decisions.catalogue.wording import is_locale, placeholders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.decisions.catalogue.actions import Action
    from serving.decisions.catalogue.document import Catalogue
    from serving.decisions.catalogue.wording import Template


_PLACEHOLDER: Final = re.compile(r"\{\w*\}")


def values_for(action: Action) -> frozenset[str]:
    """Return the names that a message of *action* may hold."""
    return frozenset((*EVERY_TEMPLATE_VALUE, *TEMPLATE_VALUES[action.type], *action.parameters))


def wording_faults(catalogue: Catalogue) -> Iterator[str]:
    """Yield a sentence for every contradiction of words."""
    actions = {action.key for action in catalogue.actions}
    for one in catalogue.disclosures:
        who = f"disclosure {one.key!r}"
        yield from _locale_faults(who, one.texts, catalogue)
        yield from (f"{who} goes with action {key!r}, which is not in the catalogue"
                    for key in one.actions if key not in actions)  # fmt: skip
        if catalogue.regions:
            yield from (f"{who}: {region!r} is none of the catalogue's regions"
                        for region in one.regions if region not in catalogue.regions)  # fmt: skip
    for template in catalogue.templates:
        yield from _template_faults(template, catalogue)
    known = {template.key for template in catalogue.templates}
    yield from (
        f"action {action.key!r} has template {action.template!r}, which is not in the catalogue"
        for action in catalogue.actions
        if action.template is not None and action.template not in known
    )


def _locale_faults(who: str, texts: dict[str, str], catalogue: Catalogue) -> Iterator[str]:
    if catalogue.default_locale not in texts:
        yield f"{who} has no words in the default locale {catalogue.default_locale!r}"
    for locale, text in texts.items():
        if not is_locale(locale):
            yield f"{who}: {locale!r} is no language tag such as en-US"
        for code, fault in unreadable(_PLACEHOLDER.sub("1", text)):
            yield f"{who} is empty in {locale!r}" if code == "empty" else f"{who} in {locale!r}: {fault}"


def _template_faults(template: Template, catalogue: Catalogue) -> Iterator[str]:
    who = f"template {template.key!r}"
    yield from _locale_faults(who, template.texts, catalogue)
    named: dict[str, frozenset[str]] = {}
    for locale, text in template.texts.items():
        try:
            named[locale] = placeholders(text)
        except ValueError as error:
            yield f"{who} in {locale!r}: {error}"
    every = frozenset[str]().union(*named.values())
    for locale, names in named.items():
        for name in sorted(every - names):
            yield f"{who} in {locale!r} lacks {{{name}}}, which another locale has"
    for action in catalogue.actions:
        if action.template == template.key:
            for name in sorted(every - values_for(action)):
                yield f"{who} holds {{{name}}}, for which action {action.key!r} has no value"
