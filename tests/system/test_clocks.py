"""Machines whose clocks are wrong, or are set while Pave runs."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import pytest

from tests.servers import ON_SQLITE
from tests.system.fake_clock import FakeClock
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver, Reply, always

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(ON_SQLITE, reason="There all processes are on one machine."),
]

PROMPT_SECONDS = 60
POSTS = 6


class OtherMachine:
    """A machine with a cluster or a web server, whose clock can be set.

    Args:
        stack: Whose database it uses.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._clock = FakeClock(stack.folder / "clock")
        self.set_clock = self._clock.set
        self._started: list[subprocess.Popen[bytes]] = []

    def start_cluster(self) -> None:
        """Start a cluster."""
        environ = self._clock.environ
        self._started.append(
            self._stack.start("other_machine", "manage.py", "qcluster", environ=environ)
        )

    def start_web(self) -> None:
        """Start a web server, to which is posted from now on."""
        self._started.append(self._stack.start_web(environ=self._clock.environ))

    def switch_off(self) -> None:
        """End its processes without a word."""
        for started in self._started:
            family = psutil.Process(started.pid).children(recursive=True)
            for process in (started, *family):
                process.kill()
            started.wait()


@pytest.fixture
def other(stack: Stack) -> Iterator[OtherMachine]:
    """A machine that is switched off after the test.

    It is not shut down: to semaphores the library tells a time that they take for another one.
    """
    machine = OtherMachine(stack)
    yield machine
    machine.switch_off()


def post_and_wait(stack: Stack, key: str, endpoint: Receiver) -> None:
    """Post, and check that each post is answered by one run and one message."""
    runs, received = len(stack.runs()), len(endpoint.messages)
    posted = {stack.post(key, f"SHOP {runs + number}") for number in range(POSTS)}

    def settled() -> bool:
        return not stack.database.rows(
            "SELECT 1 FROM webhooks_delivery WHERE status IN ('pending', 'delivering')"
            " UNION ALL SELECT 1 FROM merchants_normalizationrequest"
            " WHERE status IN ('queued', 'processing')"
        )

    stack.wait_for(settled, PROMPT_SECONDS)
    messages = list(endpoint.messages)[received:]
    assert sorted(message.json["request_id"] for message in messages) == sorted(posted)
    assert len(stack.runs()) == runs + POSTS
    attempts = stack.database.rows("SELECT COUNT(*) FROM webhooks_deliveryattempt")
    assert attempts == stack.database.rows("SELECT COUNT(*) FROM webhooks_delivery")


@pytest.mark.parametrize("seconds", [90, 10_800])
@pytest.mark.stack(PAVE_HEURISTIC="tests.system.heuristics.Slow")
def test_a_machine_that_is_ahead_takes_nothing_for_overdue(
    stack: Stack, other: OtherMachine, endpoint: Receiver, seconds: int
) -> None:
    """Its sweep would requeue what the other one runs and sends, again and again."""
    endpoint.behaviour = always(Reply(delay=3))
    key = stack.create_client("1234", endpoint.url())["api_key"]
    stack.start_cluster()
    other.set_clock(seconds)
    other.start_cluster()
    post_and_wait(stack, key, endpoint)
    assert most_off(stack, "SELECT started_at FROM operations_clusterbeat") < PROMPT_SECONDS


@pytest.mark.stack(PAVE_HEURISTIC="tests.system.heuristics.Counting")
def test_a_machine_that_is_behind_waits_for_nothing(
    stack: Stack, other: OtherMachine, endpoint: Receiver
) -> None:
    """What is due now would be due in three hours."""
    key = stack.create_client("1234", endpoint.url())["api_key"]
    other.set_clock(-10_800)
    other.start_cluster()
    post_and_wait(stack, key, endpoint)
    received = endpoint.messages[0]
    signed_at = int(received.headers["webhook-timestamp"])
    assert abs(received.received_at.timestamp() - signed_at) < PROMPT_SECONDS


@pytest.mark.stack(PAVE_HEURISTIC="tests.system.heuristics.Counting")
def test_a_clock_that_is_set_changes_nothing(
    stack: Stack, other: OtherMachine, endpoint: Receiver
) -> None:
    key = stack.create_client("1234", endpoint.url())["api_key"]
    other.set_clock(0)
    other.start_cluster()
    for ahead in (0, 10_800, -10_800):
        other.set_clock(ahead)
        post_and_wait(stack, key, endpoint)


@pytest.mark.parametrize("ahead", [10_800, -10_800])
@pytest.mark.stack(PAVE_HEURISTIC="tests.system.heuristics.Counting")
def test_a_web_server_with_another_clock_accepts_for_now(
    stack: Stack, other: OtherMachine, endpoint: Receiver, ahead: int
) -> None:
    key = stack.create_client("1234", endpoint.url())["api_key"]
    stack.start_cluster()
    other.set_clock(ahead)
    other.start_web()
    post_and_wait(stack, key, endpoint)
    query = "SELECT created_at FROM merchants_normalizationrequest"
    assert most_off(stack, query) < PROMPT_SECONDS


def most_off(stack: Stack, query: str) -> float:
    """Return by how many seconds times that a query returns are off the present, at most."""
    now = datetime.now(UTC)
    return max(abs((now - time).total_seconds()) for [time] in stack.database.rows(query))
