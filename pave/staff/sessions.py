"""Sessions of staff, named by ``SESSION_ENGINE``."""

from hashlib import sha256
from typing import Any

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's, whose keys the database has as digests only: a copy of it lets nobody in.

    A key has 165 random bits, so that its digest needs no salt.
    """

    def exists(self, session_key: str) -> bool:
        """Return whether there is a session of this key."""
        return super().exists(_digest(session_key))

    def create_model_instance(self, data: Any) -> Any:
        """Return the row of the session."""
        row = super().create_model_instance(data)
        row.session_key = _digest(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        """Delete a session, or this one."""
        if key := session_key or self.session_key:
            super().delete(_digest(key))

    def load(self) -> dict[str, Any]:
        """Return the session's data; {} if there is none, and then the key is forgotten."""
        key, data = self._session_key, None
        self._session_key = _digest(key or "")
        try:
            data = super().load()
        finally:
            forgotten = data is not None and self._session_key is None
            self._session_key = None if forgotten else key
        return data


def _digest(key: str) -> str:
    # As long as the column is.
    return sha256(key.encode()).hexdigest()[:40]
