"""What staff do all day, from one end to the other, in a real browser."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import LogIn
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver

pytestmark = pytest.mark.timeout(120)


def _open(page: Page, name: str) -> None:
    """Go to a list by the navigation."""
    page.get_by_role("navigation", name="Sidebar").get_by_role(
        "link", name=name, exact=True
    ).click()


def _said(page: Page, text: str) -> Locator:
    """Return the message that says so."""
    return page.locator(".messagelist").get_by_text(text)


def test_a_client_is_made_and_its_key_copied(log_in: LogIn, pave: Stack) -> None:
    page = log_in()
    _open(page, "Clients")
    page.get_by_role("link", name="Add client").click()
    page.get_by_label("Client id").fill("nova")
    page.get_by_label("Name", exact=False).first.fill("Nova Bank")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Nova Bank").first.click()
    page.get_by_role("link", name="Make a key").click()
    page.get_by_label("Name of the key").fill("production")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_text("Copy it now.")).to_be_visible()
    key = page.locator("#new-secret").inner_text()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
    assert pave.post(key, "NETFLIX.COM")  # it opens the API
    page.get_by_role("link", name="I have it").click()
    expect(page.get_by_role("cell", name="production")).to_be_visible()
    assert key not in page.content()
    expect(page.get_by_text("NETFLIX.COM")).to_be_visible()


def test_a_failing_webhook_is_found_mended_and_retried(
    log_in: LogIn, pave: Stack, receiver: Receiver
) -> None:
    client = pave.create_client("polar", receiver.url("/polar/broken"))
    request_id = pave.post(client["api_key"], "SPOTIFY P2F1A3 STOCKHOLM")
    pave.wait_for(
        lambda: pave.database.rows(
            "SELECT 1 FROM webhooks_deliveryattempt WHERE url LIKE %s", "%/polar/broken"
        ),
        30,
    )
    # It has been so for a while.
    pave.database.rows(
        "UPDATE webhooks_webhook SET failing_since = now() - interval '3 hours' WHERE id = %s",
        client["webhook"]["id"],
    )
    page = log_in()
    page.get_by_role("link", name=re.compile("Webhook of polar only fails")).click()
    expect(page.get_by_text("Nothing has succeeded for 3 h")).to_be_visible()
    page.locator("section", has_text="Not delivered").get_by_role(
        "link", name="normalization.completed"
    ).first.click()
    expect(page.locator("#attempts").get_by_text("http 500").first).to_be_visible()
    expect(page.get_by_text("KeyError: 'merchant_id'").first).to_be_visible()
    delivery = page.url
    page.get_by_role("link", name=receiver.url("/polar/broken")).first.click()
    page.get_by_label("URL").fill(receiver.url("/polar/mended"))
    page.get_by_role("button", name="Save and continue editing").click()
    expect(_said(page, "was changed successfully")).to_be_visible()
    expect(page.locator(".audit")).to_contain_text("/polar/mended")
    page.goto(delivery)
    page.get_by_role("button", name="Retry now").click()
    expect(_said(page, "It is tried as soon as its webhook has capacity.")).to_be_visible()
    expect(page.locator("#attempts")).to_contain_text("200, delivered", timeout=20_000)
    [told] = [one for one in receiver.messages if one.path == "/polar/mended"]
    assert json.loads(told.body)["request_id"] == request_id


def test_a_rule_is_published_after_a_look_at_its_preview(log_in: LogIn, pave: Stack) -> None:
    page = log_in("matcher")
    _open(page, "Rules")
    page.get_by_role("link", name="Add rule").click()
    page.get_by_label("Kind").select_option("prefix")
    page.get_by_label("Pattern").fill("KRUSTY BURGER")
    page.locator(".field-merchant .select2-selection").click()
    page.locator(".select2-search__field").fill("burger king")
    page.get_by_role("option", name="Burger King", exact=True).first.click()
    page.get_by_label("Note").fill("They were bought.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("It takes effect once the draft is published.").first).to_be_visible()
    _open(page, "Try a descriptor")
    page.get_by_label("Descriptor").fill("KRUSTY BURGER 99 SPRINGFIELD")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("Publishing the draft would change this answer.")).to_be_visible()
    _open(page, "Draft and preview")
    expect(page.get_by_text("Rule prefix “KRUSTY BURGER”")).to_be_visible()
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)
    page.get_by_role("link", name="Show the preview").click()
    gained = page.locator(".figure", has_text="Gained")
    expect(gained.locator(".value")).not_to_have_text("0", timeout=30_000)
    expect(page.get_by_role("cell", name="Burger King").first).to_be_visible()
    page.get_by_label("What changed").fill("Krusty Burger is Burger King")
    page.get_by_role("button", name="Publish").click()
    expect(_said(page, "Published as ruleset")).to_be_visible()
    expect(page.locator("#revision")).to_contain_text("Ended", timeout=30_000)
    updated = "SELECT count(*) FROM webhooks_event WHERE type = 'normalization.updated'"
    assert pave.database.rows(updated)[0][0] > 0
    expect(page.locator(".audit")).to_contain_text("published")


def test_a_wrong_answer_leads_to_a_correction(log_in: LogIn) -> None:
    page = log_in("support")
    page.get_by_label("Search everything").fill("ZZ TRATTORIA")
    page.keyboard.press("Enter")
    page.locator(".found a").first.click()
    page.get_by_role("link", name="This is wrong").click()
    page.get_by_label("The right merchant").fill("Da Nonna")
    page.get_by_role("button", name="This is wrong").click()
    expect(_said(page, "Put on the list for review.")).to_be_visible()
    page = log_in("matcher")
    _open(page, "Feedback")
    page.locator("tr", has_text="Da Nonna").get_by_role("link").first.click()
    page.get_by_role("link", name="Accept").click()
    expect(page.get_by_label("Or a new merchant of this name")).to_have_value("Da Nonna")
    page.get_by_role("button", name="Accept").click()
    expect(_said(page, "is in the draft")).to_be_visible()


def test_a_disabled_webhook_is_enabled_and_what_was_held_arrives(
    log_in: LogIn, pave: Stack, receiver: Receiver
) -> None:
    page = log_in("support")
    page.get_by_role("link", name=re.compile("Webhook of Kiwi Card .* is disabled")).click()
    expect(page.get_by_text("The endpoint answered 410 Gone").first).to_be_visible()
    page.get_by_role("link", name="Enable").click()
    page.get_by_role("button", name="Enable").click()
    expect(_said(page, "held deliveries are queued")).to_be_visible()
    pave.wait_for(lambda: any(one.path == "/kiwi/old-endpoint" for one in receiver.messages), 20)


def test_a_recovery_is_counted_first_and_then_watched(log_in: LogIn) -> None:
    page = log_in("support")
    _open(page, "Webhooks")
    page.locator("#result_list a", has_text="/fjord/").click()
    page.get_by_role("link", name="Recover", exact=True).click()
    page.get_by_role("button", name="Only count").click()
    expect(page.get_by_text("deliveries would be sent again")).to_be_visible()
    page.get_by_role("button", name="Recover", exact=True).click()
    expect(_said(page, "Recovery begun")).to_be_visible()
    expect(page.locator("section[id^=recovery-]")).to_contain_text("completed", timeout=30_000)


def test_a_test_event_and_the_receiver_check_tell_what_came_of_them(log_in: LogIn) -> None:
    page = log_in("support")
    _open(page, "Webhooks")
    page.locator("#result_list a", has_text="/northwind/").click()
    webhook = page.url
    page.get_by_role("button", name="Send a test").click()
    expect(_said(page, "The test was answered 200")).to_be_visible()
    page.goto(webhook)
    page.get_by_role("button", name="Check the receiver").click()
    # The receiver of these tests takes everything, and should not.
    expect(page.get_by_text("does not do everything right")).to_be_visible()
    expect(page.get_by_role("cell", name="wrongly_signed")).to_be_visible()
