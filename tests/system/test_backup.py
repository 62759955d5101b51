"""The backup and restore of docs/operations.md, followed on a system at work."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import redis

from tests.servers import Servers
from tests.system.databases import PostgresDatabase
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver

pytestmark = pytest.mark.timeout(360)

HEURISTIC = "tests.system.heuristics.Slow"


def program(servers: Servers, name: str) -> str:
    """Return the path of one of PostgreSQL's programs, of the version of the server at hand."""
    options = servers.folder / "postgres" / "data" / "postmaster.opts"
    if options.exists():  # the embedded one
        return str(Path(options.read_text().split()[0]).parent / name)
    found = shutil.which(name)
    assert found, f"{name} is not installed"
    return found


@pytest.mark.stack(PAVE_HEURISTIC=HEURISTIC, PAVE_WORKERS="1")
def test_after_a_restore_nothing_is_lost_but_what_came_after_the_backup(
    stack: Stack, endpoint: Receiver, servers: Servers, tmp_path: Path
) -> None:
    made = stack.create_client("1234", endpoint.url())
    key = made["api_key"]
    cluster = stack.start_cluster()
    finished = [stack.post(key, "SHOP DONE") for _ in range(5)]
    endpoint.wait_for(5, 30)
    in_flight = [stack.post(key, f"SHOP {number}") for number in range(4)]
    stack.wait_for(lambda: len(stack.runs()) > 1, 30)
    dump = tmp_path / "pave.dump"

    # 1. The backup, of a running system.
    subprocess.run(
        [program(servers, "pg_dump"), "--format=custom", f"--file={dump}", stack.database.url],
        check=True,
    )
    too_late = stack.post(key, "SHOP TOO LATE")

    # 2. The restore.
    cluster.terminate()
    assert cluster.wait(60) == 0
    restored = PostgresDatabase(os.environ["DATABASE_URL"], f"pave_restored_{os.getpid()}")
    before, stack.database = stack.database, restored
    try:
        subprocess.run(
            [
                *(program(servers, "pg_restore"), "--no-owner", "--exit-on-error"),
                *(f"--dbname={restored.url}", dump),
            ],
            check=True,
        )
        redis.Redis.from_url(stack.environ["REDIS_URL"]).flushdb()
        stack.environ["DATABASE_URL"] = restored.url
        stack.manage("migrate", "--verbosity=0")
        stack.end_leases()  # what was running when the backup was made is taken to be lost
        stack.hasten()
        stack.start("restored-cluster", "manage.py", "qcluster")
        stack.start_web()

        # 3. What was accepted before the backup is there, and is finished now.
        for request_id in [*finished, *in_flight]:
            stack.wait_for(lambda pk=request_id: stack.get(key, pk)["status"] == "completed", 90)
        stack.wait_for(
            lambda: (
                {*finished, *in_flight}
                <= {message.json["request_id"] for message in endpoint.messages}
            ),
            30,
        )
        rows = "SELECT count(*) FROM merchants_normalizationrequest WHERE id = %s"
        assert restored.rows(rows, too_late) == [(0,)]
        assert stack.post(key, "SHOP AFTERWARDS")
    finally:
        stack.stop()
        stack.database = before
        restored.drop()
