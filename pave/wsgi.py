"""The WSGI application that gunicorn serves."""

import os
from typing import Any

from django.core.wsgi import get_wsgi_application

from pave.core.media_types import plain_media_type

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pave.settings")

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer a request, whose Content-Type Django parses before any middleware."""
    environ["CONTENT_TYPE"] = plain_media_type(environ.get("CONTENT_TYPE", ""))
    return _django(environ, start_response)
