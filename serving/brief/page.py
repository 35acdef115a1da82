"""The brief as one self-contained page: it loads nothing from elsewhere, and everything in it is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.brief import wording
from serving.brief.ranges import value_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template


def render_page(brief: Mapping[str, Any], nonce: str) -> bytes:
    """Return the page of a *brief* in UTF-8.

    Args:
        brief: As `brief_document` makes it.
        nonce: What the page's own script and style bear; its headers allow nothing else.
    """
    shown = orjson.loads(orjson.dumps(brief, option=orjson.OPT_SERIALIZE_NUMPY))  # as JSON has it: no NaN
    return _template().render(brief=shown, nonce=nonce).encode("utf-8", "replace")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=wording.number,
        money=wording.money,
        money_range=wording.money_range,
        percent=wording.percent,
        percent_range=wording.percent_range,
        points=wording.points,
        points_range=wording.points_range,
        time=wording.time,
        span=wording.span,
        horizon=wording.horizon,
        words=wording.words,
        stage=wording.stage,
        plain=wording.plain,
    )
    environment.globals.update(
        fact=wording.fact,
        budget=wording.budget,
        facts=wording.FACTS,
        windows=wording.WINDOWS,
        arms=wording.ARMS,
        value_ranges=value_ranges,
        evidence=wording.EVIDENCE,
    )
    return environment.get_template("page.html")
