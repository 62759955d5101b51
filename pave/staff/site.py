"""The admin's site: its home page, search and navigation."""

from contextlib import ExitStack
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
)
from django.template.response import TemplateResponse
from django.urls import path, reverse

from pave.core import clock
from pave.core.callers import identify_staff
from pave.core.concurrency import Busy, ConcurrencyLimit, hold_until_sent
from pave.staff import audit, logins
from pave.staff.dashboard import home, span_of
from pave.staff.global_search import search
from pave.staff.widgets import SPANS

# The order of the navigation; other models follow.
APPS = ("merchants", "webhooks", "clients", "operations", "staff", "auth", "axes")

NAMES = {"auth": "Accounts", "staff": "Record"}
# Hidden: django-q2's tasks are only wake-ups, and Pave has its own API keys.
NOT_SHOWN = {"django_q", "rest_framework_api_key"}

# A page that counts or previews much holds its thread of the web server for a while.
PAGES = ConcurrencyLimit(
    limit=6,
    per_client=4,
    busy="Four other pages of yours are being made. Reload this one in a moment.",
    full="Too many pages are being made. Reload this one in a moment.",
)


class StaffSite(AdminSite):
    """Pave's admin."""

    site_header = site_title = "Pave"
    index_title = "Home"
    site_url = None
    index_template = "staff/home.html"
    login_form = logins.LoginForm

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        single = isinstance(model_or_iterable, type)
        models: list[Any] = [model_or_iterable] if single else list(model_or_iterable)
        shown = [model for model in models if model._meta.app_label not in NOT_SHOWN]
        super().register(shown, admin_class, **options)

    def get_urls(self) -> list:
        return [
            path("search/", self.admin_view(self.search_view), name="search"),
            # No row has a page elsewhere, and Django's redirect fails for what is no key.
            *(url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"),
        ]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Return a view for staff only, who may have few pages made at once (``PAGES``)."""

        @wraps(view)
        def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            identify_staff(request.META, request.user.pk)
            clock.synchronize()
            with ExitStack() as slots:
                try:
                    slots.enter_context(PAGES.slot(request.user.pk))
                except Busy as busy:
                    return TemplateResponse(
                        request,
                        "staff/busy.html",
                        {"why": str(busy)},
                        status=503,
                        headers={"Retry-After": "1"},
                    )
                if "%00" in request.META.get("QUERY_STRING", ""):
                    request.GET = _without_nul(request.GET)  # type: ignore[assignment]
                response: HttpResponseBase = view(request, *args, **kwargs)
                hold_until_sent(response, slots)
                return response

        return super().admin_view(limited, cacheable)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form, or log in, within the limits of ``pave.staff.logins``."""
        if request.method != "POST":
            return super().login(request, extra_context)
        try:
            with logins.attempt_slot(logins.address_of(request)):
                response = super().login(request, extra_context)
            logins.record(request, response)
            return response
        except logins.LoginLimited as error:
            return TemplateResponse(
                request,
                "staff/locked.html",
                {"why": str(error)},
                status=429,
                headers={"Retry-After": str(error.pause)},
            )

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """End the session, which is put on record."""
        if request.method == "POST" and isinstance(request.user, User):
            audit.record(request, action="logged out", obj=request.user)
        return super().logout(request, extra_context)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the form, or change the own password, which is put on record."""
        response = super().password_change(request, extra_context)
        if response.status_code == HTTPStatus.FOUND and isinstance(request.user, User):
            audit.record(request, action="changed the own password", obj=request.user)
        return response

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict]:
        apps = super().get_app_list(request, app_label)
        order = {label: index for index, label in enumerate(APPS)}
        for app in apps:
            app["name"] = NAMES.get(app["app_label"], app["name"])
            app["models"].sort(key=lambda model: self._position(model["model"]))
            for model in list(app["models"]):
                for name, url in getattr(self._registry[model["model"]], "extra_pages", ()):
                    index = app["models"].index(model) + 1
                    app["models"].insert(
                        index, {**model, "name": name, "admin_url": reverse(url), "add_url": None}
                    )
        self._mark_current(request, [model for app in apps for model in app["models"]])
        return sorted(apps, key=lambda app: order.get(app["app_label"], len(order)))

    def _mark_current(self, request: HttpRequest, models: list[dict[str, Any]]) -> None:
        """Mark the navigation entry of the page: the one with the longest matching URL."""
        matching = [
            model for model in models if request.path.startswith(model["admin_url"] or "//")
        ]
        if matching:
            max(matching, key=lambda model: len(model["admin_url"]))["is_current"] = True

    def _position(self, model: type) -> int:
        return getattr(self._registry[model], "navigation_place", 100)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        span = span_of(request)
        return super().index(
            request,
            {"home": home(request), "span": span, "spans": SPANS.values(), **(extra_context or {})},
        )

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """Show the results of a search, or redirect to a single one."""
        text = request.GET.get("q", "").strip()
        results = search(request, text)
        exact = [result for result in results if result.exact]
        if len(exact) == 1 or len(results) == 1:
            return HttpResponseRedirect((exact or results)[0].url)
        return TemplateResponse(
            request,
            "staff/search.html",
            {
                **self.each_context(request),
                "title": f"Found for “{text}”" if text else "Search",
                "text": text,
                "results": results,
            },
        )


def _without_nul(query: QueryDict) -> QueryDict:
    """Return a query's copy that PostgreSQL, which has no text with a NUL, can search for."""
    copied = query.copy()
    for name, values in query.lists():
        copied.setlist(name, [value.replace("\0", "") for value in values])
    return copied
