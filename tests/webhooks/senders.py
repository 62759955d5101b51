"""Real dispatcher processes beside a test, on the test's database."""

import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

SEND = "from webhooks.delivery.dispatcher import send_due; send_due()"
# Dies the moment it would record its first results.
SEND_AND_DIE = """
import os, signal
from webhooks.delivery import dispatcher
dispatcher.record = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
dispatcher.send_due()
"""
_PROGRAM = """
import django
django.setup()
from django.conf import settings
settings.PAVE_TASK_SLICE = {seconds}
{program}
"""


def database_url() -> str:
    """Return the URL of the database that the tests run in."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def start(program: str = SEND, *, seconds: float = 20.0) -> "subprocess.Popen[bytes]":
    """Start a process that sends until nothing is due for a second, or for ``seconds``."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(program=program, seconds=seconds)],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "pave.settings",
            "PAVE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "LOG_LEVEL": "ERROR",
        },
    )
