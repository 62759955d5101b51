"""The main job end to end, through real processes: a transaction in, a signed webhook out."""

import json
import re
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from standardwebhooks import Webhook

from merchants.requests.resolutions.attempts import MAX_ABANDONED, MAX_ATTEMPTS
from pave.operations.cluster.sentinel import CANARY_INTERVAL
from tests.system.stack import Stack, signal_group
from webhooks.receiver.application import Message, Receiver, Reply, in_turn

pytestmark = pytest.mark.timeout(180)

HEURISTICS = "tests.system.heuristics"
# From post to webhook, on two busy cores, with nothing gone wrong.
PROMPT_SECONDS = 30


def verified(message: Message, secret: str) -> dict[str, Any]:
    """Return a message's body, as a receiver with the standard library takes it."""
    return Webhook(secret).verify(message.body, message.headers)


@pytest.mark.storage
def test_a_transaction_in_gives_a_signed_webhook_out(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = stack.create_client("1234", f"http://127.0.0.1:{port}/webhook")
    secret = made["webhook"]["secret"]
    stack.start("receiver", "manage.py", "listen", f"--port={port}", f"--secret={secret}", "--json")
    stack.start_cluster()
    log = stack.folder / "receiver.log"
    stack.wait_for(lambda: "Listening" in log.read_text(), PROMPT_SECONDS)

    request_id = stack.post(made["api_key"], "NETFLIX.COM", date="2021-10-03", amount="12.99")

    lines = stack.wait_for(
        lambda: [line for line in log.read_text().splitlines() if line.startswith("{")],
        PROMPT_SECONDS,
    )
    received = json.loads(lines[0])
    assert received["verified"] is True
    assert received["type"] == "normalization.completed"
    # The seed's two fields:
    assert received["body"]["request_id"] == request_id
    assert received["body"]["merchant"]["name"].startswith("Netflix")
    assert received["body"]["data"]["transaction"]["amount"] == "12.99"

    def delivered() -> list[str]:
        deliveries = stack.get(made["api_key"], request_id)["deliveries"]
        return [one["status"] for one in deliveries if one["status"] == "succeeded"]

    assert stack.wait_for(delivered, PROMPT_SECONDS) == ["succeeded"]


@pytest.mark.stack(PAVE_BROKER="redis", LOG_LEVEL="INFO")
def test_redis_carries_wakeups_and_its_silence_is_no_fault(
    stack: Stack, endpoint: Receiver
) -> None:
    key = stack.create_client("1234", endpoint.url())["api_key"]
    stack.start_cluster()
    stack.post(key, "NETFLIX.COM")
    endpoint.wait_for(1, 30)
    time.sleep(4)  # its workers wait for a second at a time
    stack.post(key, "NETFLIX.COM")
    endpoint.wait_for(2, PROMPT_SECONDS)
    assert "broker.unavailable" not in stack.logs()


@pytest.mark.storage
@pytest.mark.stack(PAVE_WEBHOOK_RETRY_SCHEDULE="1,1,1")
def test_an_endpoint_that_fails_twice_gets_the_same_message_a_third_time(
    stack: Stack, endpoint: Receiver
) -> None:
    endpoint.behaviour = in_turn(Reply(status=500), Reply(status=500), Reply(status=200))
    made = stack.create_client("1234", endpoint.url())
    stack.start_cluster()

    stack.post(made["api_key"], "NETFLIX.COM")

    messages = endpoint.wait_for(3, PROMPT_SECONDS)
    assert len({message.webhook_id for message in messages}) == 1
    assert len({message.body for message in messages}) == 1
    for message in messages:
        verified(message, made["webhook"]["secret"])
    sql = "SELECT number, status_code FROM webhooks_deliveryattempt ORDER BY number"
    stack.wait_for(lambda: len(stack.database.rows(sql)) == 3, PROMPT_SECONDS)
    assert stack.database.rows(sql) == [(1, 500), (2, 500), (3, 200)]


@pytest.mark.parametrize("killed", ["the worker", "all processes"])
@pytest.mark.stack(PAVE_HEURISTIC=f"{HEURISTICS}.StuckAtFirst")
def test_a_resolution_whose_worker_is_killed_is_run_again(
    stack: Stack, endpoint: Receiver, killed: str
) -> None:
    made = stack.create_client("1234", endpoint.url())
    cluster = stack.start_cluster()
    request_id = stack.post(made["api_key"], "CORNER SHOP")
    stack.wait_for(stack.runs, PROMPT_SECONDS)
    [[claimed_by]] = stack.database.rows(
        "SELECT claimed_by FROM merchants_resolution WHERE status = 'running'"
    )

    if killed == "the worker":
        psutil.Process(int(claimed_by.split("/")[2])).kill()
    else:
        for process in [*psutil.Process(cluster.pid).children(recursive=True), cluster]:
            process.kill()
        stack.start_cluster()

    # Long before the lease ends.
    [message] = endpoint.wait_for(1, 30)
    assert verified(message, made["webhook"]["secret"])["request_id"] == request_id
    assert message.json["type"] == "normalization.completed"
    assert stack.runs() == ["CORNER SHOP"] * 2
    assert stack.database.rows("SELECT attempts FROM merchants_resolution") == [(2,)]


@pytest.mark.stack(PAVE_HEURISTIC=f"{HEURISTICS}.Slow", PAVE_WORKERS="2")
def test_a_clients_resolution_does_not_wait_for_all_of_anothers(
    stack: Stack, endpoint: Receiver
) -> None:
    many = stack.create_client("many", endpoint.url())["api_key"]
    one = stack.create_client("one", endpoint.url())["api_key"]
    for number in range(40):
        stack.post(many, f"SHOP {number}")
    stack.start_cluster()
    stack.wait_for(lambda: len(stack.runs()) >= 2, PROMPT_SECONDS)

    begun = len(stack.runs())
    stack.post(one, "CORNER SHOP")
    stack.wait_for(lambda: "CORNER SHOP" in stack.runs(), PROMPT_SECONDS)

    # Whatever was running ended first, and perhaps what began while it was admitted.
    assert stack.runs().index("CORNER SHOP") <= begun + 4


@pytest.mark.stack(PAVE_WORKERS="1")
def test_tasks_flow_again_within_a_minute_after_an_idle_worker_is_killed(
    stack: Stack, endpoint: Receiver
) -> None:
    made = stack.create_client("1234", endpoint.url())
    cluster = stack.start_cluster()
    stack.post(made["api_key"], "NETFLIX.COM")
    endpoint.wait_for(1, PROMPT_SECONDS)
    # The only one that takes from the heuristic's queue: it surely waits with the lock held.
    [worker] = stack.workers(cluster)
    stack.wait_for(lambda: worker.status() == psutil.STATUS_SLEEPING, PROMPT_SECONDS)

    worker.kill()

    request_id = stack.post(made["api_key"], "STARBUCKS STORE 00123")
    endpoint.wait_for(2, 60)
    assert endpoint.messages[-1].json["request_id"] == request_id


@pytest.mark.storage
@pytest.mark.stack(PAVE_HEURISTIC=f"{HEURISTICS}.Slow", PAVE_WORKERS="1")
def test_requests_survive_the_loss_of_every_task(stack: Stack, endpoint: Receiver) -> None:
    made = stack.create_client("1234", endpoint.url())
    waiting = [stack.post(made["api_key"], f"SHOP {number}") for number in range(3)]
    stack.database.rows("DELETE FROM django_q_ormq")
    stack.start_cluster()
    stack.wait_for(stack.runs, PROMPT_SECONDS)
    waiting.append(stack.post(made["api_key"], "SHOP 3"))

    stack.database.rows("DELETE FROM django_q_ormq")

    endpoint.wait_for(4, 30)
    ids = [message.json["request_id"] for message in endpoint.messages]
    assert sorted(ids) == sorted(waiting)


@pytest.mark.storage
@pytest.mark.stack(PAVE_HEURISTIC=f"{HEURISTICS}.Slow")
def test_a_hundred_askers_at_once_share_one_run(stack: Stack, endpoint: Receiver) -> None:
    made = stack.create_client("1234", endpoint.url())
    stack.start_cluster()

    with ThreadPoolExecutor(20) as pool:
        asked = list(pool.map(lambda _: stack.post(made["api_key"], "SAME SHOP"), range(100)))

    endpoint.wait_for(100, 60)
    told = Counter(message.json["request_id"] for message in endpoint.messages)
    assert told == Counter(asked)
    assert stack.runs() == ["SAME SHOP"]
    assert stack.database.rows("SELECT attempts FROM merchants_resolution") == [(1,)]


@pytest.mark.stack(
    PAVE_HEURISTIC=f"{HEURISTICS}.Broken", PAVE_HEURISTIC_TIMEOUT="1", PAVE_WORKERS="3"
)
def test_a_heuristic_that_goes_wrong_ends_in_a_failed_event(
    stack: Stack, endpoint: Receiver
) -> None:
    made = stack.create_client("1234", endpoint.url())
    stack.start_cluster()
    ways = ["raises", "hangs", "exits"]
    asked = [stack.post(made["api_key"], way) for way in ways]

    def all_told() -> bool:
        stack.hasten()
        return len(endpoint.messages) >= len(ways)

    stack.wait_for(all_told, 60)

    told = {message.json["request_id"]: message.json for message in endpoint.messages}
    assert sorted(told) == sorted(asked)
    for body in told.values():
        assert body["type"] == "normalization.failed"
        assert body["data"]["status"] == "failed"
        assert body["data"]["error"]
    runs = Counter(stack.runs())
    assert runs["raises"] == runs["hangs"] == MAX_ATTEMPTS
    assert runs["exits"] == MAX_ABANDONED
    # And the cluster goes on.
    stack.post(made["api_key"], "all is well")
    endpoint.wait_for(len(ways) + 1, PROMPT_SECONDS)
    assert endpoint.messages[-1].json["type"] == "normalization.completed"


@pytest.mark.stack(PAVE_HEURISTIC=f"{HEURISTICS}.DeafAtFirst", PAVE_HEURISTIC_TIMEOUT="1")
def test_a_run_that_does_not_hear_its_alarm_is_ended_and_asked_again(
    stack: Stack, endpoint: Receiver
) -> None:
    made = stack.create_client("1234", endpoint.url())
    stack.start_cluster()
    stack.post(made["api_key"], "CORNER SHOP")

    [message] = endpoint.wait_for(1, 45)

    assert message.json["type"] == "normalization.completed"
    assert stack.runs() == ["CORNER SHOP"] * 2


@pytest.mark.stack(PAVE_HEURISTIC=f"{HEURISTICS}.LoadsLate", PAVE_WORKERS="1")
def test_a_heuristic_that_loads_much_at_first_keeps_its_process(
    stack: Stack, endpoint: Receiver
) -> None:
    key = stack.create_client("1234", endpoint.url())["api_key"]
    cluster = stack.start_cluster()
    [worker] = stack.wait_for(lambda: stack.workers(cluster), PROMPT_SECONDS)
    time.sleep(2 * CANARY_INTERVAL + 1)  # its first tasks are canaries
    for number in range(3):
        stack.post(key, f"SHOP {number}")
        endpoint.wait_for(number + 1, 30)
    assert stack.workers(cluster) == [worker]


@pytest.mark.stack(PAVE_HEURISTIC=f"{HEURISTICS}.Leaking", PAVE_WORKERS="1")
def test_a_heuristic_that_leaks_gets_a_new_process_in_time(
    stack: Stack, endpoint: Receiver
) -> None:
    key = stack.create_client("1234", endpoint.url())["api_key"]
    cluster = stack.start_cluster()
    [first] = stack.wait_for(lambda: stack.workers(cluster), PROMPT_SECONDS)

    for number in range(6):
        stack.post(key, f"SHOP {number}")
    endpoint.wait_for(6, 60)

    assert sorted(stack.runs()) == [f"SHOP {number}" for number in range(6)]  # none of them twice
    stack.wait_for(lambda: not first.is_running(), PROMPT_SECONDS)
    for process in psutil.Process(cluster.pid).children(recursive=True):
        assert process.memory_info().rss < 700_000_000


def test_a_cluster_that_is_just_starting_hears_a_signal(stack: Stack) -> None:
    cluster = stack.start("cluster", "manage.py", "qcluster")
    status = Path(f"/proc/{cluster.pid}/status")
    bit = 1 << (signal.SIGTERM - 1)

    def handles_it() -> bool:
        caught = re.search(r"^SigCgt:\s*(\w+)", status.read_text(), re.MULTILINE)
        return bool(caught and int(caught[1], 16) & bit)

    stack.wait_for(handles_it, PROMPT_SECONDS)
    cluster.terminate()  # long before Django is loaded
    assert cluster.wait(20) == 128 + signal.SIGTERM


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.stack(PAVE_HEURISTIC=f"{HEURISTICS}.Slow")
def test_a_signal_to_the_whole_process_group_ends_the_cluster_cleanly(
    stack: Stack, endpoint: Receiver, signum: signal.Signals
) -> None:
    made = stack.create_client("1234", endpoint.url())
    cluster = stack.start_cluster()
    stack.post(made["api_key"], "SHOP")
    stack.wait_for(stack.runs, PROMPT_SECONDS)
    family = psutil.Process(cluster.pid).children(recursive=True)

    signal_group(cluster, signum)

    assert cluster.wait(20) == 0
    _, left = psutil.wait_procs(family, timeout=2)
    assert not left
    # The run that was under way was let finish.
    [[status]] = stack.database.rows("SELECT status FROM merchants_resolution")
    assert status == "resolved"
    assert stack.runs() == ["SHOP"]
