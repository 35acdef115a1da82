"""Says a feature's value in plain words, by the template that the feature contract carries.

A template is taken apart once, when a bundle is loaded; saying a value is then a few string operations.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from serving.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_repo.contract import ContractFeature
    from serving.features.rows import ContextValue

PLACEHOLDERS = ("value", "percent", "change", "money", "days")
_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
# `{value} log-ins`, `{value} urgent tickets`: the words between the number and the noun that it counts.
_COUNTED = re.compile(r"\{value\}((?: [a-z-]+){0,2}? )([A-Za-z-]+?)(s)\b")
_NOT_A_COUNT = frozenset({"of", "on", "a", "an", "is", "per", "the", "was", "in"})
_MANY_DIGITS = 100.0
_WHOLE_FROM = 1e15
_LARGEST = 1e300


_Sayer: TypeAlias = "Callable[[ContextValue], str]"


@dataclass(frozen=True, slots=True)
class Wording:
    """A sentence taken apart: text, then as often as needed what says the value and the text after it."""

    start: str
    rest: tuple[tuple[_Sayer, str], ...]

    def say(self, value: ContextValue) -> str:
        """Return the sentence for a known *value*."""
        said = self.start
        for sayer, text in self.rest:
            said += sayer(value) + text
        return said if self.start else said[:1].upper() + said[1:]


@dataclass(frozen=True, slots=True)
class Template:
    """What a feature says.

    Attributes:
        many: The sentence for most values.
        one: The same for a value of exactly 1, with its noun in the singular.
        unknown: What is said when the value is missing.
    """

    many: Wording
    one: Wording
    unknown: str

    def say(self, value: ContextValue) -> str:
        """Return the sentence for *value*; None, NaN and infinite values count as missing."""
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return self.unknown
        return (self.one if value == 1 and value is not True else self.many).say(value)


def make_template(feature: ContractFeature) -> Template:
    """Return the template of *feature*; without one of its own it is `description: value`.

    Raises:
        BundleError: A string feature's template asks for a number.
    """
    about = feature.description.strip().rstrip(".") or feature.name
    text = feature.text or f"{about.replace('{', '(').replace('}', ')')}: {{value}}"
    if feature.dtype == "String" and set(_PLACEHOLDER.findall(text)) - {"value"}:
        raise BundleError(f"string feature {feature.name!r} has the text {text!r}, which asks for a number")
    return Template(
        many=_wording(text),
        one=_wording(_singular(text)),
        unknown=f"Nothing is known of this: {_uncapitalised(about)}",
    )


def _wording(text: str) -> Wording:
    start, *rest = _PLACEHOLDER.split(text)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return Wording(start, tuple((_SAYERS[placeholder], after) for placeholder, after in pairs))


def _uncapitalised(text: str) -> str:
    """Return *text* as it stands within a sentence; abbreviations such as `API` stay."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _singular(text: str) -> str:
    """Return *text* with the noun that `{value}` counts in the singular, and its verb with it."""
    match = _COUNTED.search(text)
    if match is None or not _NOT_A_COUNT.isdisjoint(match[1].split()) or match[2].endswith("s"):
        return text
    noun = match[2]
    if noun.endswith(("che", "she", "sse", "xe")):
        noun = noun[:-1]
    elif noun.endswith("ie"):
        noun = noun[:-2] + "y"
    rest = re.sub(r"\bare\b", "is", text[match.end() :], count=1)
    return f"{text[: match.start()]}{{value}}{match[1]}{noun}{rest}"


def say_value(value: ContextValue) -> str:
    """Return a value as people write it: `12,345`, `0.38`, `yes`, or a string as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return _number(float(value)) if value is not None else "unknown"


def say_change(value: ContextValue) -> str:
    """Return what a ratio means: `fell 62 %`, `rose 12 %`, or `held level` within half a per cent."""
    percent = (_float(value) - 1.0) * 100.0
    whole = _whole(abs(percent))
    if whole == "0":
        return "held level"
    return f"{'rose' if percent > 0 else 'fell'} {whole} %"


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < _WHOLE_FROM:
        return f"{int(value):,}"
    if abs(value) >= _WHOLE_FROM:
        return f"{value:.3g}"
    if abs(value) >= _MANY_DIGITS:
        return f"{value:,.0f}"
    shown = f"{value:.1f}" if abs(value) >= _MANY_DIGITS / 10 else f"{value:.2f}"
    shown = shown.rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def _percent(value: ContextValue) -> str:
    percent = _float(value) * 100.0
    return f"{percent:.1f}" if 0.05 <= abs(percent) < 1.0 else _whole(percent)  # noqa: PLR2004 -- shown as 0.1


def _money(value: ContextValue) -> str:
    amount = _float(value)
    if abs(amount) >= _WHOLE_FROM:
        return f"{amount:.3g}"
    return f"{amount:,.0f}" if amount.is_integer() or abs(amount) >= _MANY_DIGITS else f"{amount:,.2f}"


def _days(value: ContextValue) -> str:
    days = _whole(_float(value))
    return "1 day" if days == "1" else f"{days} days"


def _whole(number: float) -> str:
    """Return the nearest whole number with separators; one too large for digits to say anything, in short."""
    return f"{round(number):,}" if abs(number) < _WHOLE_FROM else f"{number:.3g}"


def _float(value: ContextValue) -> float:
    """Return *value* as a number that can be multiplied by 100; `make_template` refuses strings here."""
    return 0.0 if value is None else max(-_LARGEST, min(_LARGEST, float(value)))


_SAYERS: dict[str, _Sayer] = {
    "value": say_value,
    "percent": _percent,
    "change": say_change,
    "money": _money,
    "days": _days,
}
