"""The page of a brief in a real browser, against a real service: read, applied, approved, undone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.browser.conftest import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

    from tests.browser.conftest import Service

SECONDS = 20
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
LOSE_ONE_ANSWER = """
const ask = window.fetch;
window.fetch = async (...asked) => { await ask(...asked); window.fetch = ask; throw new TypeError("lost"); };
"""
"""The next request arrives, and its answer does not."""
RECEIPT = re.compile(r"rcp_[0-9a-f]{32}")


class BriefPage:
    """The page as a person uses it."""

    def __init__(self, browser: Chrome, service: Service, account_id: str) -> None:
        self.browser = browser
        browser.get_log("browser")  # what earlier pages said
        browser.get(service.page(account_id))

    def find(self, selector: str) -> WebElement:
        """Return the one element that *selector* names."""
        return self.browser.find_element("css selector", selector)

    def card(self, key: str) -> str:
        """Return the selector of an action's card."""
        return f'article[data-key="{key}"]'

    def say(self, selector: str, text: str) -> None:
        """Type *text* into a field."""
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def press(self, selector: str) -> None:
        """Press a button, as the keyboard does."""
        button = self.find(selector)
        assert button.is_displayed()
        button.send_keys("\ue007")

    def told(self, card: str, wanted: str) -> str:
        """Return what a card says, once *wanted* is in it."""
        found = self.until(lambda: self.find(f"{card} [role=status]").text, lambda text: wanted in text)
        return str(found)

    def until(self, look: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
        """Return what *look* sees, once that *holds*."""
        from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415 -- only where Selenium is

        seen: list[Any] = []

        def check(_: object) -> bool:
            seen.append(look())
            return holds(seen[-1])

        WebDriverWait(self.browser, SECONDS).until(check, f"it stays {seen[-1:]}")
        return seen[-1]

    def complaints(self) -> list[str]:
        """Return what the browser's console complains about."""
        return [entry["message"] for entry in self.browser.get_log("browser")]


def test_an_action_is_applied_and_undone_on_the_page(browser: Chrome, service: Service) -> None:
    """Press Apply, read the receipt, press Undo; the service knows both, and the console has nothing to say."""
    account_id, key = service.account_with(approvals=0)
    page = BriefPage(browser, service, account_id)
    card = page.card(key)
    page.say("#actor", "ann@example.com")
    page.press(f"{card} [data-do=apply]")
    receipt_id = RECEIPT.findall(page.told(card, "Done on"))[0]
    known = service.receipt(receipt_id)
    assert (known["applied_by"], known["proposed_by"], known["rollback"]) == (
        "ann@example.com",
        "keepgrow:brief",
        None,
    )
    assert known["action"]["action_key"] == key
    assert known["read_back"] in page.told(card, "Done on")
    assert not page.find(f"{card} [data-do=apply]").is_displayed()
    page.press(f"{card} [data-do=undo]")
    assert "by ann@example.com" in page.told(card, "Undone on")
    rollback = service.receipt(receipt_id)["rollback"]
    assert rollback["rolled_back_by"] == "ann@example.com"
    assert page.complaints() == []
    again = BriefPage(browser, service, account_id)
    assert "Undone" in again.find("section[aria-labelledby=before]").text
    assert again.find("#actor").get_attribute("value") == "ann@example.com"


def test_what_was_applied_is_undone_after_a_reload(browser: Chrome, service: Service) -> None:
    """The tab remembers the rollback token, so that the list of what was done before has a button that works."""
    account_id, key = service.account_with(approvals=0)
    page = BriefPage(browser, service, account_id)
    page.say("#actor", "ann")
    page.press(f"{page.card(key)} [data-do=apply]")
    receipt_id = RECEIPT.findall(page.told(page.card(key), "Done on"))[0]
    page = BriefPage(browser, service, account_id)
    row = f'[data-open-receipt="{receipt_id}"]'
    assert not page.find(f"{row} [data-do=token]").is_displayed()
    page.press(f"{row} [data-do=undo]")
    page.told(row, "Undone on")
    assert service.receipt(receipt_id)["rollback"]["rolled_back_by"] == "ann"


def test_nobody_applies_what_they_approved(browser: Chrome, service: Service) -> None:
    """Without an approval, and with one's own, the problem is told; with another person's it goes."""
    account_id, key = service.account_with(approvals=1)
    page = BriefPage(browser, service, account_id)
    card = page.card(key)
    page.say("#actor", "ann")
    page.press(f"{card} [data-do=apply]")
    page.told(card, "Approvals missing.")
    page.say(f"{card} [data-do=approver]", "ann")
    page.press(f"{card} [data-do=approve]")
    page.told(card, "ann agreed on")
    page.press(f"{card} [data-do=apply]")
    page.told(card, "Approvals missing.")
    page.say(f"{card} [data-do=approver]", "bob")
    page.press(f"{card} [data-do=approve]")
    page.told(card, "bob agreed on")
    page.press(f"{card} [data-do=apply]")
    receipt_id = RECEIPT.findall(page.told(card, "Done on"))[0]
    assert [one["by"] for one in service.receipt(receipt_id)["approvals"]] == ["bob"]
    page.press(f"{card} [data-do=undo]")
    page.told(card, "Undone on")


def test_a_second_person_approves_on_a_page_of_their_own(browser: Chrome, service: Service) -> None:
    """The link on the card leads to a page that shows the same simulation; once approved there, it can be applied."""
    account_id, key = service.account_with(approvals=1)
    page = BriefPage(browser, service, account_id)
    simulation_id = page.find(page.card(key)).get_attribute("data-simulation")
    link = page.find(f"{page.card(key)} a[href*=simulation_id]")
    browser.get(link.get_attribute("href"))
    card = f'section[data-simulation="{simulation_id}"]'
    page.say(f"{card} [data-do=approver]", "bob")
    page.press(f"{card} [data-do=approve]")
    page.told(card, "bob agreed on")
    page.say("#actor", "ann")
    page.press(f"{card} [data-do=apply]")
    receipt_id = RECEIPT.findall(page.told(card, "Done on"))[0]
    assert service.receipt(receipt_id)["source"] == {"kind": "simulation", "id": simulation_id}
    page.press(f"{card} [data-do=undo]")
    page.told(card, "Undone on")


def test_problems_are_told_and_a_retry_does_nothing_twice(browser: Chrome, service: Service) -> None:
    """Without a name nothing is sent; when an answer was lost, pressing again gets the answer to the first request."""
    account_id, key = service.account_with(approvals=0)
    page = BriefPage(browser, service, account_id)
    card = page.card(key)
    page.find("#actor").clear()
    page.press(f"{card} [data-do=apply]")
    page.told(card, "Say who you are first")
    assert browser.switch_to.active_element.get_attribute("id") == "actor"
    page.say("#actor", "zoë")
    page.press(f"{card} [data-do=apply]")
    page.told(card, "ASCII only")
    page.say("#actor", "ann")
    browser.execute_script(LOSE_ONE_ANSWER)
    page.press(f"{card} [data-do=apply]")
    page.told(card, "The service does not answer")
    page.press(f"{card} [data-do=apply]")
    receipt_id = RECEIPT.findall(page.told(card, "Done on"))[0]
    done = [one for one in service.brief(account_id)["applied_actions"] if one["state"] == "open"]
    assert [one["receipt_id"] for one in done] == [receipt_id]
    page.press(f"{card} [data-do=undo]")
    page.told(card, "Undone on")


def test_what_somebody_else_has_applied_is_told(browser: Chrome, service: Service) -> None:
    """The problem's title and detail stand on the page, and nothing more is done."""
    account_id, key = service.account_with(approvals=0)
    page = BriefPage(browser, service, account_id)
    simulation_id = page.find(page.card(key)).get_attribute("data-simulation")
    other = httpx.post(
        f"{service.url}/v1/actions/apply",
        json={"simulation_id": simulation_id},
        headers={"keepgrow-actor": "bob", "idempotency-key": "bob-was-first"},
    )
    assert other.status_code == 200, other.text
    page.say("#actor", "ann")
    page.press(f"{page.card(key)} [data-do=apply]")
    told = page.told(page.card(key), "Applied before.")
    assert other.json()["receipt_id"] in told
    undo = {"rollback_token": other.json()["rollback_token"], "actor": "bob"}
    path = f"/v1/actions/{other.json()['receipt_id']}/rollback"
    assert httpx.post(f"{service.url}{path}", json=undo).status_code == 200


def test_a_hostile_account_runs_nothing(browser: Chrome, service: Service) -> None:
    """An id that is HTML and script is shown as text; no script but the page's own is run, none is even blocked."""
    page = BriefPage(browser, service, HOSTILE)
    assert page.find("h1").text == HOSTILE
    assert browser.find_elements("css selector", "img") == []
    assert len(browser.find_elements("css selector", "script")) == 1
    assert page.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_on_a_phone_in_either_scheme(browser: Chrome, service: Service, scheme: str) -> None:
    """At 390 pixels nothing makes the page scroll sideways; text stands out from its background in both schemes."""
    account_id, key = service.account_with(approvals=1)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        page = BriefPage(browser, service, account_id)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
        button = page.find(f"{page.card(key)} [data-do=apply]")
        assert button.size["height"] >= 44
        for selector in ("p", ".soft", "button", ".chip", "th", "a", "dt"):
            assert browser.execute_script(CONTRAST, selector) >= 4.5, selector
        unnamed = "return [...document.querySelectorAll('input')].filter(i => !i.labels.length).length"
        assert browser.execute_script(unnamed) == 0
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


CONTRAST = """
const part = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((one) => part(Number(one) / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (!/, 0\\)$/.test(colour) && colour !== "transparent") return colour;
  }
  return "rgb(255, 255, 255)";
};
return Math.min(...[...document.querySelectorAll(arguments[0])].map((node) => {
  const [one, other] = [light(getComputedStyle(node).color), light(behind(node))];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}));
"""
"""The least contrast of what a selector finds (WCAG 2.2, 1.4.3: 4.5 is enough for text)."""
