"""What people read: disclosures that must go with an action, and message templates, by locale."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from pydantic import Field

from serving.decisions.catalogue.vocabulary import ActionType, CatalogueValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.decisions.catalogue.actions import Action


LONGEST_LOCALE = 35
"""As long as RFC 5646 (section 4.4.1) asks every reader of language tags to be able to take."""
_LOCALE = re.compile(r"[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8})*")


def is_locale(text: str) -> bool:
    """Return whether *text* has the form of a language tag (BCP 47) such as `en-US`."""
    return len(text) <= LONGEST_LOCALE and _LOCALE.fullmatch(text) is not None


def usable_locale(locale: str | None, default: str) -> str:
    """Return *locale*, or *default* if it is not known or no language tag."""
    return locale if locale is not None and is_locale(locale) else default


def speaks(texts: Mapping[str, str], locale: str) -> bool:
    """Return whether one of *texts* is in the language of *locale*."""
    language = locale.partition("-")[0].lower()
    return any(one.partition("-")[0].lower() == language for one in texts)


def in_locale(texts: Mapping[str, str], locale: str | None, default: str) -> tuple[str, str]:
    """Return the locale that fits best, and its text: the same, then one of the same language, then the default."""
    language = (locale or default).partition("-")[0]
    fitting = (
        locale if locale in texts else None,
        next((one for one in sorted(texts) if one.partition("-")[0] == language), None),
        default,
    )
    chosen = next(one for one in fitting if one is not None)
    return chosen, texts[chosen]


class Disclosure(CatalogueValue):
    """A sentence that must be shown with some actions in some regions."""

    key: str = Field(min_length=1, description="Unique name.")
    types: tuple[ActionType, ...] = Field(default=(), description="Types that it goes with; empty: all.")
    actions: tuple[str, ...] = Field(default=(), description="Keys of actions; empty: all of those types.")
    regions: tuple[str, ...] = Field(default=(), description="Regions in which it must go; empty: all.")
    texts: dict[str, str] = Field(min_length=1, description="The sentence by locale.")
    own_language: bool = Field(
        default=False,
        description="Whether it counts only in the account's language; else the default locale's words do.",
    )

    def goes_with(self, action: Action, region: str | None) -> bool:
        """Return whether it must go with *action* in *region*; where the region is not known, it must."""
        return (
            (not self.types or action.type in self.types)
            and (not self.actions or action.key in self.actions)
            and (not self.regions or region is None or region in self.regions)
        )


class Template(CatalogueValue):
    """A message by locale, with `{placeholders}` for what the action says."""

    key: str = Field(min_length=1, description="Unique name, which actions refer to.")
    texts: dict[str, str] = Field(min_length=1, description="The message by locale.")
    own_language: bool = Field(
        default=False,
        description="Whether it may be sent only in the account's language; else the default locale's words may.",
    )


def placeholders(text: str) -> frozenset[str]:
    """Return the names that *text* holds as `{name}`.

    Raises:
        ValueError: A brace is left open, or a placeholder holds more than a name.
    """
    names = set()
    for _, name, spec, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError(f"a placeholder may hold a name only, not {{{name}}}")
        names.add(name)
    return frozenset(names)
