"""The model card in a real browser: from one file, in light and dark, on a desk and on a phone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.test_brief_page import CONTRAST
from tests.training.card.full_card import full_facts
from training.card.render import render_html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

DESK = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
GRAPHICS = {
    ".frame": "stroke",
    ".ideal": "stroke",
    ".curve": "stroke",
    ".band": "stroke",
    ".error": "stroke",
    ".point": "fill",
    ".range": "backgroundColor",
    ".dot": "backgroundColor",
    ".half": "borderLeftColor",
    ".track": "borderLeftColor",
    ".bar": "backgroundColor",
}
"""What a chart is read by, and the property that draws it."""
TEXTS = (
    "p",
    ".soft",
    "th",
    "td",
    "small",
    "dt",
    "dd",
    "summary",
    "a",
    "li",
    "figcaption",
    ".key strong",
    ".missed",
    ".met",
)
STROKES = """
const part = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((one) => part(Number(one) / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const sheet = light(getComputedStyle(document.querySelector("section")).backgroundColor);
const [selector, property] = arguments;
return Math.min(...[...document.querySelectorAll(selector)].map((node) => {
  const style = getComputedStyle(node);
  if (style.opacity !== "1") return 0;
  const one = light(style[property]);
  return (Math.max(one, sheet) + 0.05) / (Math.min(one, sheet) + 0.05);
}));
"""
"""The least contrast of what draws a chart with the sheet behind it (WCAG 2.2, 1.4.11: 3 is enough for graphics)."""
WIDER = """
return [...document.querySelectorAll("body *")].filter((node) =>
  node.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !node.closest(".scroll")
).map((node) => node.tagName + "." + node.className);
"""
REQUESTS = "return performance.getEntriesByType('resource').map((one) => one.name)"


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a card that has every section, long words included."""
    facts = full_facts()
    long = dataclasses.replace(facts, title=facts.title + "-" + "x" * 60)
    path = tmp_path_factory.mktemp("card") / "card.html"
    path.write_text(render_html(long), encoding="utf-8")
    return path


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest, browser: Chrome) -> Iterator[str]:
    """Let the browser prefer one colour scheme."""
    chosen = {"features": [{"name": "prefers-color-scheme", "value": request.param}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", chosen)
    yield str(request.param)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def screen(request: pytest.FixtureRequest, browser: Chrome) -> Iterator[dict[str, Any]]:
    """Give the browser one screen."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", request.param)
    yield request.param
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def overhang(browser: Chrome, element: WebElement) -> int:
    """Return by how many pixels what an element holds is wider than what is seen of it."""
    return int(browser.execute_script("return arguments[0].scrollWidth - arguments[0].clientWidth", element))


def opened(browser: Chrome, card: Path) -> None:
    """Open the card with everything unfolded."""
    browser.get_log("browser")  # what earlier pages said
    browser.get(card.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def test_it_fits_the_screen_and_loads_nothing_else(
    browser: Chrome, card: Path, screen: dict[str, Any], scheme: str
) -> None:
    """Nothing is wider than the screen but what scrolls within itself; there is no request and no complaint."""
    opened(browser, card)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= screen["width"]
    assert browser.execute_script(WIDER) == []
    assert browser.execute_script(REQUESTS) == []
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.querySelectorAll('table').length") > 20
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(246, 247, 249)", "dark": "rgb(17, 22, 28)"}[scheme]


def test_it_can_be_read_in_either_scheme(browser: Chrome, card: Path, scheme: str) -> None:
    """Texts stand out by 4.5 to 1 at least, and what charts are read by, which is all there, by 3 to 1."""
    opened(browser, card)
    for selector in TEXTS:
        assert browser.execute_script(CONTRAST, selector) >= 4.5, (scheme, selector)
    for selector, property_ in GRAPHICS.items():
        assert browser.find_elements("css selector", selector), selector
        assert browser.execute_script(STROKES, selector, property_) >= 3.0, (scheme, selector)


def test_on_a_desk_no_table_is_cut_off(browser: Chrome, card: Path) -> None:
    """At 1280 pixels every table is seen whole, without scrolling."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", DESK)
    try:
        opened(browser, card)
        cut = browser.execute_script(
            "return [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth + 1)"
            ".map((one) => one.getAttribute('aria-label'))"
        )
        assert cut == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_a_phone_wide_tables_are_stacked_or_keep_their_first_column(browser: Chrome, card: Path) -> None:
    """A short one names each value; a long one is told to scroll, and its row names stay while it does."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        opened(browser, card)
        stacked = browser.find_elements("css selector", ".stacked")
        assert stacked
        for one in stacked:
            assert overhang(browser, one) <= 1
        named = "return getComputedStyle(document.querySelector('.stacked td'), '::before').content"
        assert browser.execute_script(named) == '"cutoffs"'
        long = browser.find_elements("css selector", ".long")
        assert long
        for one in long:
            hint = one.find_element("xpath", "preceding-sibling::p[1]")
            assert hint.is_displayed()
            assert "sideways" in hint.text
        wide = next(one for one in long if overhang(browser, one) > 50)
        name = wide.find_element("css selector", "tbody th")
        before = name.rect["x"]
        browser.execute_script("arguments[0].scrollLeft = 10000", wide)
        assert browser.execute_script("return arguments[0].scrollLeft", wide) > 0
        assert name.rect["x"] == pytest.approx(before, abs=1)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
