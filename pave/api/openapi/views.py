"""The API's description, for programs and for people."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from pave.core.caching.loading import load_once


@load_once()
def description() -> str:
    """Return the OpenAPI description as JSON, generated once per process."""
    generator = SchemaGenerator()
    schema = generator.get_schema(request=None, public=True)
    return json.dumps(schema, ensure_ascii=False)


@require_safe
@cache_control(max_age=60)
def openapi(request: HttpRequest) -> HttpResponse:
    """Answer ``/openapi.json``."""
    return HttpResponse(description(), content_type="application/json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Answer ``/docs``: a quick start and the reference, in which requests can be tried."""
    return render(request, "api/docs.html", {"base": request.build_absolute_uri("/").rstrip("/")})
