"""Pictures of the pages for people to look at, and what can be measured of their looks.

It runs before the journeys, which change what is in the pictures. `make pictures` writes those of
docs/admin.md anew.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import LogIn
from tests.system.stack import ROOT, Stack
from webhooks.receiver.application import Receiver

pytestmark = pytest.mark.timeout(180)

WIDTHS = (1440, 390)
SCHEMES = ("light", "dark")


HOST = "https://hooks.example.com"
# Those of docs/admin.md: name -> width, height and scheme.
HANDBOOK = {
    "home": (1440, 1000, "light"),
    "home-phone": (390, 844, "dark"),
    "client": (1440, 900, "light"),
    "webhook": (1440, 1000, "light"),
    "webhook-phone": (390, 844, "light"),
    "webhook-disabled": (1440, 560, "light"),
    "delivery": (1440, 1000, "dark"),
    "recover": (1440, 560, "light"),
    "request": (1440, 900, "light"),
    "preview": (1440, 1000, "light"),
    "try": (1440, 700, "light"),
    "accept": (1440, 560, "light"),
    "search": (1440, 620, "light"),
    "audit": (1440, 560, "light"),
}


@pytest.fixture(autouse=True)
def as_in_the_world(pave: Stack, receiver: Receiver) -> Iterator[None]:
    """Give the endpoints addresses like those of real ones, while they are looked at."""
    here = receiver.url("").rstrip("/")
    statement = "UPDATE {} SET url = replace(url, %s, %s)"
    tables = ("webhooks_webhook", "webhooks_deliveryattempt")
    for table in tables:
        pave.database.rows(statement.format(table), here, HOST)
    yield
    for table in tables:
        pave.database.rows(statement.format(table), HOST, here)


def _id(pave: Stack, sql: str) -> str:
    return str(pave.database.rows(sql)[0][0])


def _pages(pave: Stack) -> dict[str, str]:
    webhook = _id(pave, "SELECT id FROM webhooks_webhook WHERE url LIKE '%/fjord/%'")
    slow = _id(pave, "SELECT id FROM webhooks_webhook WHERE url LIKE '%/atlas/%'")
    gone = _id(pave, "SELECT id FROM webhooks_webhook WHERE url LIKE '%/kiwi/%'")
    delivery = _id(
        pave,
        "SELECT delivery_id FROM webhooks_deliveryattempt WHERE error = 'http'"
        " ORDER BY started_at DESC LIMIT 1",
    )
    request = _id(
        pave,
        "SELECT id FROM merchants_normalizationrequest"
        " WHERE description LIKE 'SQ%' AND status = 'completed' ORDER BY id DESC LIMIT 1",
    )
    client = _id(pave, "SELECT id FROM clients_client WHERE client_id = '1234'")
    feedback = _id(pave, "SELECT id FROM merchants_feedback ORDER BY id LIMIT 1")
    return {
        "home": "/admin/?span=day",
        "webhooks": "/admin/webhooks/webhook/",
        "webhook": f"/admin/webhooks/webhook/{webhook}/change/?span=day",
        "webhook-slow": f"/admin/webhooks/webhook/{slow}/change/?span=week",
        "webhook-disabled": f"/admin/webhooks/webhook/{gone}/change/",
        "recover": f"/admin/webhooks/webhook/{webhook}/do/recover/",
        "delivery": f"/admin/webhooks/delivery/{delivery}/change/",
        "requests": "/admin/merchants/normalizationrequest/",
        "request": f"/admin/merchants/normalizationrequest/{request}/change/",
        "client": f"/admin/clients/client/{client}/change/",
        "feedback": f"/admin/merchants/feedback/{feedback}/change/",
        "accept": f"/admin/merchants/feedback/{feedback}/do/accept/",
        "merchants": "/admin/merchants/merchant/?q=netflix",
        "draft": "/admin/merchants/ruleset/draft/",
        "preview": "/admin/merchants/ruleset/draft/?preview=1",
        "try": "/admin/merchants/ruleset/try/?description=SQ+*BLUE+BOTTLE+COFFEE+OAKLAND+CA",
        "search": "/admin/search/?q=netflix",
        "audit": "/admin/staff/auditentry/",
    }


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_their_screen(
    log_in: LogIn, pave: Stack, pictures: Path, width: int, scheme: str
) -> None:
    page = log_in("admin", width=width, height=900 if width > 800 else 844, scheme=scheme)
    for name, url in _pages(pave).items():
        page.goto(url)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if width < 800:
            assert not _small_texts(page), name
        assert not _faint_texts(page), name


@pytest.mark.skipif("PAVE_HANDBOOK" not in os.environ, reason="only make pictures writes them")
def test_pictures_of_the_handbook(log_in: LogIn, pave: Stack) -> None:
    pages = _pages(pave)
    for name, (width, height, scheme) in HANDBOOK.items():
        page = log_in("admin", width=width, height=height, scheme=scheme)
        page.goto(pages[name.removesuffix("-phone")])
        page.wait_for_load_state("networkidle")
        page.screenshot(path=ROOT / "docs" / "images" / f"{name}.png")
        page.close()


def _small_texts(page: Page) -> list[str]:
    """Return texts that are too small to be read on a phone."""
    return page.evaluate(
        """() => [...document.querySelectorAll('main *')].filter((one) =>
            [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
            && one.checkVisibility() && parseFloat(getComputedStyle(one).fontSize) < 11
        ).map((one) => one.textContent.trim().slice(0, 40))"""
    )


def _faint_texts(page: Page) -> list[str]:
    """Return texts with less contrast than WCAG AA asks for, 4.5 to 1."""
    found = page.evaluate(
        """() => {
            const channel = (value) => {
                const part = value / 255;
                return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            };
            const parse = (text) => text.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) =>
                0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
            const ground = (one) => {
                for (let at = one; at; at = at.parentElement) {
                    const colour = parse(getComputedStyle(at).backgroundColor);
                    if (colour.length === 3 || colour[3] > 0.5) return colour;
                }
                return [255, 255, 255];
            };
            return [...document.querySelectorAll('body *')].filter((one) =>
                [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
                && one.checkVisibility() && !one.closest(
                    'svg, .skip-to-content-link, .visually-hidden, select, option')
            ).map((one) => {
                const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))];
                const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                const text = one.textContent.trim().slice(0, 40);
                return [ratio, `${ratio.toFixed(1)} ${one.tagName}.${one.className} ${text}`];
            }).filter(([ratio]) => ratio < 4.5).map(([, text]) => text);
        }"""
    )
    return [re.sub(r"\s+", " ", text) for text in found]
