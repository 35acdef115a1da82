"""What keeps people from understanding a text, those who hear it read out too."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_UPPER: Final = 0.7
SHOUTED_LETTERS: Final = 20
_EMPTY_LINK: Final = re.compile(r"\b(click here|hier klicken|read more)\b", re.IGNORECASE)


def unreadable(text: str) -> Iterator[tuple[str, str]]:
    """Yield code and sentence of what is wrong with *text*.

    Links whose words say nothing of where they lead fail criterion 2.4.4 of the Web Content Accessibility Guidelines.
    """
    if not text.strip():
        yield "empty", "the text says nothing"
    if any(unicodedata.category(one) in {"Cc", "Co", "Cs"} and one not in "\n\t" for one in text):
        yield "control_characters", "the text holds characters that nobody can read"
    letters = [one for one in text if one.isalpha()]
    if len(letters) >= SHOUTED_LETTERS and sum(one.isupper() for one in letters) / len(letters) > MOST_UPPER:
        yield "all_capitals", "capitals throughout are hard to read, and some readers spell them"
    if _EMPTY_LINK.search(text):
        yield "empty_link_text", "a link's words should say where it leads"
