"""A Pave that has been at work for a week, and Chromium to look at it.

Only `make test-browser` collects these tests: they need a browser.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.servers import Servers
from tests.system.databases import Databases
from tests.system.stack import ROOT, Stack
from webhooks.receiver.application import Message, Receiver
from webhooks.receiver.server import Reply

collect_ignore_glob = [] if os.environ.get("PAVE_TEST_BROWSER") else ["test_*.py"]

PASSWORD = "for-browser-tests-only"
# No service of its own, no update, no look at the network.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LogIn = Callable[..., Page]

_PEOPLE = """
from django.contrib.auth.models import Group, User
for name in ("viewer", "support", "matcher", "admin"):
    user = User.objects.create_user(
        name, password={password!r}, is_staff=True, first_name=name.title()
    )
    user.groups.add(Group.objects.get(name=name))
from tests.browser.scenery import paint
paint(endpoint={endpoint!r})
"""


def _answer(message: Message) -> Reply:
    """Answer 500 where the path says so, and 200 elsewhere."""
    if "broken" in message.path:
        return Reply(status=500, body=b"KeyError: 'merchant_id'")
    return Reply()


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """Where all webhooks point."""
    with Receiver(behaviour=_answer) as started:
        yield started


@pytest.fixture(scope="session")
def pave(servers: Servers, receiver: Receiver) -> Iterator[Stack]:
    """Web server and cluster on a painted database."""

    def migrate(url: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True,
        )  # fmt: skip

    databases = Databases(os.environ["DATABASE_URL"], servers.folder, migrate, servers.template)
    database = databases.make()
    folder = servers.folder / "browser"
    folder.mkdir()
    stack = Stack(folder, database, os.environ["REDIS_URL"], environ={})
    try:
        code = _PEOPLE.format(password=PASSWORD, endpoint=receiver.url("").rstrip("/"))
        stack.manage("shell", "-c", code)
        stack.start_web()
        stack.start_cluster()
        # The painted ones would be missed, beside those that are there.
        stack.database.rows("DELETE FROM operations_clusterbeat WHERE host = 'pave-worker-1'")
        stack.wait_for(lambda: _beats(stack) == 2, 60)
        yield stack
    finally:
        try:
            stack.stop()
        finally:
            sys.stderr.write(stack.logs()[-4000:] if os.environ.get("PAVE_SHOW_LOGS") else "")
            database.drop()
            databases.drop_template()


def _beats(stack: Stack) -> int:
    return stack.database.rows("SELECT count(*) FROM operations_clusterbeat")[0][0]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, with a profile of its own that is gone at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS
        )
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains of: scripts that fail, and breaches of the policy."""
    return []


@pytest.fixture
def log_in(chromium: Browser, pave: Stack, complaints: list[str]) -> Iterator[LogIn]:
    """Open a browser as somebody, logged in; `complaints` must be empty at the end."""
    contexts: list[BrowserContext] = []

    def open_as(
        name: str = "admin", *, width: int = 1440, height: int = 900, scheme: str = "light"
    ) -> Page:
        context = chromium.new_context(
            base_url=pave.web_url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]  # one of its words
            timezone_id="Europe/Berlin",
            locale="en-GB",
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", lambda message: _note(message, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/admin/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="Home").wait_for()
        # The first page sets the cookie of the zone and is loaded anew.
        page.wait_for_load_state("networkidle")
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert not complaints


def _note(message: ConsoleMessage, complaints: list[str]) -> None:
    # A refusal is what some tests are about.
    if message.type == "error" and "403" not in message.text:
        complaints.append(f"{message.text} at {message.location}")


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where pictures for people to look at are written."""
    folder = Path(os.environ.get("PAVE_SCREENSHOTS", ROOT / "var" / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
