"""What each role is refused, and that everybody can get about."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import LogIn

pytestmark = pytest.mark.timeout(120)


def _page_of(page: Page, listed: str, row: str) -> None:
    page.goto(listed)
    page.locator("#result_list a", has_text=re.compile(row)).first.click()


def _code(page: Page, url: str) -> int:
    response = page.goto(url)
    assert response is not None
    return response.status


@pytest.mark.parametrize(
    ("role", "offered", "withheld"),
    [
        ("viewer", [], ["Send a test", "Recover", "Rotate the secret", "Disable"]),
        ("support", ["Send a test", "Recover", "Disable"], ["Rotate the secret"]),
        ("matcher", [], ["Send a test", "Recover", "Rotate the secret", "Disable"]),
        ("admin", ["Send a test", "Recover", "Rotate the secret", "Disable"], []),
    ],
)
def test_a_role_sees_its_own_buttons_and_is_refused_the_others(
    log_in: LogIn, role: str, offered: list[str], withheld: list[str]
) -> None:
    page = log_in(role)
    _page_of(page, "/admin/webhooks/webhook/", "/atlas/")
    buttons = page.locator(".title-row .buttons")
    for name in offered:
        expect(buttons.get_by_text(name, exact=True)).to_be_visible()
    for name in withheld:
        expect(buttons.get_by_text(name, exact=True)).to_have_count(0)
    here = page.url.split("change/")[0]
    for name, may in (
        ("recover", role in ("support", "admin")),
        ("disable", role in ("support", "admin")),
        ("rotate_secret", role == "admin"),
    ):
        assert _code(page, f"{here}do/{name}/") == (200 if may else 403)


def test_a_role_is_refused_the_forms_of_others(log_in: LogIn) -> None:
    page = log_in("support")
    for url in ("/admin/clients/client/add/", "/admin/webhooks/webhook/add/",
                "/admin/merchants/rule/add/", "/admin/auth/user/"):  # fmt: skip
        assert _code(page, url) == 403
    page = log_in("matcher")
    assert _code(page, "/admin/merchants/rule/add/") == 200
    assert _code(page, "/admin/clients/client/add/") == 403


def test_a_search_leads_to_what_a_caller_reads_out(log_in: LogIn) -> None:
    page = log_in("viewer")
    page.keyboard.press("/")
    expect(page.get_by_label("Search everything")).to_be_focused()
    page.keyboard.type("tx-100042")
    page.keyboard.press("Enter")
    expect(page.get_by_text("From received to delivered")).to_be_visible()
    expect(page.get_by_text("tx-100042")).to_be_visible()
    page.locator(".timeline a").first.click()
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    event = re.search(r"/admin/webhooks/event/([0-9a-f-]{36})/", page.content())
    assert event
    page.get_by_label("Search everything").fill(event.group(1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Deliveries")).to_be_visible()


def test_a_page_can_be_used_by_keyboard_alone(log_in: LogIn) -> None:
    page = log_in("support")
    page.goto("/admin/webhooks/webhook/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#result_list tbody th') !== null"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".title-row .buttons")).to_be_visible()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(outline) != "none"


def test_times_are_the_readers_own(log_in: LogIn) -> None:
    page = log_in("viewer")
    _page_of(page, "/admin/webhooks/delivery/", "normalization")
    expect(page.get_by_text(re.compile(r"\d\d:\d\d:\d\d CES?T")).first).to_be_visible()
