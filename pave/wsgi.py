"""The WSGI application that gunicorn serves."""

import os
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application

from pave.api.media_types import with_plain_headers
from pave.core import clock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pave.settings")

clock.follow_database()
_django = get_wsgi_application()
# As each command does, it refuses to start with keys that everybody knows.
BaseCommand().check(tags=[Tags.security])


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer a request, some headers of which Django parses before any middleware."""
    return _django(with_plain_headers(environ), start_response)
