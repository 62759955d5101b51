"""The response when nothing is found: a page for staff, a problem for all others."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from pave.api import errors

ADMIN = "/admin/"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    if request.path.startswith(ADMIN):
        return render(request, "admin/404.html", status=404)
    return errors.not_found(request, exception)
