"""A cluster's reports to its supervisor, line by line through a pipe."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

# Exit status of a cluster to be restarted at once (EX_TEMPFAIL of sysexits.h).
STALLED = 75


class Reporter:
    """The cluster's end of the pipe.

    Args:
        pipe: File descriptor to write to.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self.supervisor_is_gone = False
        # A supervisor that does not read must not block its clusters.
        os.set_blocking(pipe, False)

    def alive(self) -> None:
        """Report that the sentinel is running."""
        self._write("alive")

    def lost_worker(self, pid: int, *, timed_out: bool) -> None:
        """Report a worker that ended in the middle of a task."""
        self._write(f"{'worker_timed_out' if timed_out else 'worker_died'} {pid}")

    def stalled(self, reason: str) -> None:
        """Report why this cluster is about to end."""
        self._write(f"stalled {reason}")

    def _write(self, line: str) -> None:
        try:
            os.write(self._pipe, f"{line}\n".encode())
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.supervisor_is_gone = True


@dataclass(frozen=True, slots=True)
class Report:
    """One report of a cluster."""

    kind: str
    detail: str


class Reports:
    """The supervisor's end of the pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._incomplete_line = b""
        os.set_blocking(pipe, False)

    def read(self) -> Iterator[Report]:
        """Yield what has come since the last time."""
        try:
            while data := os.read(self._pipe, 65_536):
                self._incomplete_line += data
        except BlockingIOError:
            pass
        *lines, self._incomplete_line = self._incomplete_line.split(b"\n")
        for line in lines:
            kind, _, detail = line.decode().partition(" ")
            yield Report(kind, detail)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._pipe)
