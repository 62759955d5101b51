"""All routes."""

from django.contrib import admin
from django.urls import include, path, re_path

from pave.api import errors

urlpatterns = [
    path(
        "", include("merchants.urls")
    ),  # first: routes are tried in order, and most requests match here
    path("", include("webhooks.urls")),
    path("", include("pave.api.urls")),
    path("", include("pave.operations.urls")),
    path("admin/", admin.site.urls),
    # Any other path gets a problem, in development too, where Django would show its own HTML page.
    re_path(r"", errors.not_found_view),
]
handler400 = "pave.api.errors.bad_request"
handler404 = "pave.handlers.not_found"
handler500 = "pave.api.unavailable.server_error"
