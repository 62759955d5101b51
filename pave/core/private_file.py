"""SQLite's files, which are for nobody but their owner."""

from contextlib import suppress
from pathlib import Path
from typing import Any


def keep_private(connection: Any, **kwargs: Any) -> None:
    """Take others' rights to a connection's files away; called for each new connection."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or ":memory:" in name:
        return
    for path in (name, f"{name}-wal", f"{name}-shm"):
        with suppress(OSError):  # not there, or not this user's
            file = Path(path)
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
