"""A new release with a migration, while clients post: nothing is lost, and somebody answers."""

import pytest

from tests.system.rolling import Balancer, start_web
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver

pytestmark = pytest.mark.timeout(240)

NEXT = "tests.system.next_release.settings"


def test_a_deploy_with_a_migration_loses_nothing_and_answers_throughout(
    stack: Stack, endpoint: Receiver
) -> None:
    made = stack.create_client("1234", endpoint.url())
    old = [start_web(stack, f"old-{number}", {}) for number in range(2)]
    old_cluster = stack.start_cluster()
    balancer = Balancer(made["api_key"])
    balancer.backends = [url for _, url in old]

    with balancer.posting():
        stack.wait_for(lambda: len(balancer.accepted) > 50, 60)
        # The tables of the new release, under the old code.
        stack.environ["DJANGO_SETTINGS_MODULE"] = NEXT
        stack.manage("migrate", "--verbosity=0")
        for number, (process, url) in enumerate(old):
            _, new_url = start_web(stack, f"new-{number}", {"DJANGO_SETTINGS_MODULE": NEXT})
            balancer.backends.append(new_url)
            # Stopped before it is taken out, as happens: what it refuses, another one takes.
            process.terminate()
            assert process.wait(30) == 0
            balancer.backends.remove(url)
        old_cluster.terminate()
        assert old_cluster.wait(60) == 0
        stack.start("new-cluster", "manage.py", "qcluster")
        reached = len(balancer.accepted)
        stack.wait_for(lambda: len(balancer.accepted) > reached + 50, 60)

    assert balancer.refused == []
    told = stack.wait_for(
        lambda: (
            (got := {message.json["request_id"] for message in tuple(endpoint.messages)})
            >= set(balancer.accepted)
            and got
        ),
        60,
    )
    assert told >= set(balancer.accepted)
    columns = "SELECT count(next_release) FROM merchants_normalizationrequest"
    assert stack.database.rows(columns) == [(0,)]
