"""The WSGI application that gunicorn serves."""

import os
from typing import Any

from django.core.wsgi import get_wsgi_application

from pave.core.media_types import plain_accept, plain_media_type

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pave.settings")

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer a request, some headers of which Django parses before any middleware."""
    return _django(with_plain_headers(environ), start_response)


def with_plain_headers(environ: dict[str, Any]) -> dict[str, Any]:
    """Return a request's environment, as Pave lets Django see it."""
    plain = {"CONTENT_TYPE": plain_media_type(environ.get("CONTENT_TYPE", ""))}
    if "HTTP_ACCEPT" in environ:
        plain["HTTP_ACCEPT"] = plain_accept(environ["HTTP_ACCEPT"])
    return environ | plain
