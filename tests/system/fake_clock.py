"""A machine's clock that is wrong, or set while its processes run (libfaketime)."""

from importlib.metadata import distribution
from pathlib import Path

_LIBRARY = distribution("libfaketime").locate_file(
    "libfaketime/vendor/libfaketime/src/libfaketime.so.1"
)


class FakeClock:
    """The clock of those processes that are started with its environment.

    Args:
        file: Where they read by how much it is wrong.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.environ = {
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, ahead: int) -> None:
        """Set it, by so many seconds ahead of the others'."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{ahead:+d}")
        written.rename(self._file)
