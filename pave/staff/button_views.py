"""Pressing a button: the question before it, the deed, what is said and noted of it."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.cache import add_never_cache_headers

from pave.core.card_masking import masked
from pave.staff import audit
from pave.staff.buttons import Button, Refused, buttons_of

logger = logging.getLogger(__name__)

# A list's action is done object by object, and all of them while the browser waits.
MOST_AT_ONCE = 200


class ButtonsMixin:
    """The buttons of a model's pages; see ``pave.staff.buttons``."""

    opts: Any
    admin_site: Any
    model: Any

    def buttons_for(self, request: HttpRequest, obj: Model) -> list[dict[str, Any]]:
        """Return the buttons that the request's user is offered on the page of ``obj``."""
        return [
            {"button": one, "url": self.button_url(one, obj)}
            for one in buttons_of(type(self)).values()
            if one.allowed(request) and one.offered(obj)
        ]

    def button_url(self, one: Button, obj: Model) -> str:
        """Return where a button of an object leads."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_do"
        return reverse(name, args=[self.url_id(obj), one.name])

    def url_id(self, obj: Any) -> str:
        """Return what stands for an object in URLs."""
        return str(obj.pk)

    def object_url(self, obj: Model) -> str:
        """Return the page of an object."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[self.url_id(obj)])

    def object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """Return the object of a URL, if the request's user may see it."""
        obj = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]
        if obj is None:
            raise Http404
        if not self.has_view_permission(request, obj):  # type: ignore[attr-defined]
            raise PermissionDenied
        return obj

    def get_urls(self) -> list:
        name = f"{self.opts.app_label}_{self.opts.model_name}_do"
        view = self.admin_site.admin_view(self.do_view)
        return [
            path("<str:object_id>/do/<slug:button_name>/", view, name=name),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def do_view(self, request: HttpRequest, object_id: str, button_name: str) -> HttpResponse:
        """Ask what a button asks, and do it."""
        one = buttons_of(type(self)).get(button_name)
        if one is None:
            raise Http404
        obj = self.object_or_404(request, object_id)
        if not one.allowed(request):
            raise PermissionDenied
        if not one.offered(obj):
            messages.warning(request, f"“{one.label}” is not possible for {obj} as it is now.")
            return HttpResponseRedirect(self.object_url(obj))
        if request.method != "POST":
            if not one.asks:
                return HttpResponseRedirect(self.object_url(obj))
            form = one.form(**self.button_form(one, obj)) if one.form else None
            return self.ask(request, one, [obj], form)
        form = one.form(request.POST, **self.button_form(one, obj)) if one.form else None
        if form is not None and not form.is_valid():
            return self.ask(request, one, [obj], form)
        try:
            result = self._do(request, one, obj, form)
        except Refused as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.object_url(obj))
        if isinstance(result, HttpResponse):
            return result
        messages.success(request, result)
        return HttpResponseRedirect(self.object_url(obj))

    def button_form(self, one: Button, obj: Any) -> dict[str, Any]:
        """Return further arguments of a button's form, such as ``initial``."""
        return {}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)  # type: ignore[misc]
        for one in buttons_of(type(self)).values():
            if one.bulk and one.allowed(request):
                actions[one.name] = (partial(_do_many, one=one), one.name, one.bulk)
        return actions

    def _do(
        self, request: HttpRequest, one: Button, obj: Any, form: forms.Form | None
    ) -> str | HttpResponse:
        with transaction.atomic() if one.atomic else nullcontext():
            return self._do_recorded(request, one, obj, form)

    def _do_recorded(
        self, request: HttpRequest, one: Button, obj: Any, form: forms.Form | None
    ) -> str | HttpResponse:
        """Do a button's deed, and write it down in the audit trail."""
        before = audit.snapshot(obj)
        method: Callable[..., str | HttpResponse] = getattr(self, one.name)
        result = method(request, obj, form.cleaned_data if form else {})
        now = type(obj)._base_manager.filter(pk=obj.pk).first()
        changes = audit.differences(before, audit.snapshot(now)) if now is not None else {}
        if form is not None:
            changes |= {
                f"given: {name}": [
                    "",
                    audit.as_text(masked(value) if isinstance(value, str) else value),
                ]
                for name, value in form.cleaned_data.items()
                if value not in (None, "") and not audit.is_secret_name(name)
            }
        detail = result if isinstance(result, str) else getattr(result, "audit_detail", "")
        audit.note(request, action=one.label.lower(), obj=obj, changes=changes, detail=detail)
        logger.info(
            "staff.did action=%s object=%s:%s user=%s",
            one.name,
            obj._meta.label_lower,
            obj.pk,
            request.user.get_username(),
        )
        return result

    def ask(
        self,
        request: HttpRequest,
        one: Button,
        objects: list[Any],
        form: forms.Form | None,
        **context: Any,
    ) -> HttpResponse:
        """Return the page between a button and its deed."""
        return TemplateResponse(
            request,
            one.template,
            {
                **self.admin_site.each_context(request),
                "title": one.label if len(objects) == 1 else one.bulk,
                "opts": self.opts,
                "button": one,
                "objects": objects,
                "object": objects[0] if len(objects) == 1 else None,
                "back": self.object_url(objects[0]) if len(objects) == 1 else "",
                "form": form,
                **context,
            },
        )


def _do_many(
    model_admin: ButtonsMixin, request: HttpRequest, queryset: QuerySet, *, one: Button
) -> HttpResponse | None:
    """Do a button's deed to what was selected in a list, once the staff member has confirmed it."""
    if not one.allowed(request):
        raise PermissionDenied
    objects = list(queryset[: MOST_AT_ONCE + 1])
    if len(objects) > MOST_AT_ONCE:
        messages.error(request, f"Select {MOST_AT_ONCE} at most; nothing was done.")
        return None
    fitting = [obj for obj in objects if one.offered(obj)]
    if not fitting:
        messages.warning(request, f"“{one.bulk}” is possible for none of the {len(objects)}.")
        return None
    form = None
    if one.form is not None:
        form = one.form(request.POST) if request.POST.get("confirmed") else one.form()
    if not request.POST.get("confirmed") or (form is not None and not form.is_valid()):
        return model_admin.ask(
            request, one, fitting, form, bulk=True, left_out=len(objects) - len(fitting)
        )
    done, refused = 0, []
    for obj in fitting:
        try:
            model_admin._do(request, one, obj, form)
        except Refused as error:
            refused.append(f"{obj}: {error}")
        else:
            done += 1
    messages.success(request, f"{one.bulk}: done for {done} of {len(objects)} selected.")
    for sentence in refused[:10]:
        messages.error(request, sentence)
    return None


def shown_once(
    request: HttpRequest, *, model_admin: Any, obj: Model, what: str, secret: str, note: str = ""
) -> HttpResponse:
    """Return the page that shows a new secret.

    It is the answer to the very POST that made it: so it is in no message, session, cookie, log
    or cache, and gone with the page.
    """
    response = TemplateResponse(
        request,
        "staff/secret.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": what,
            "subtitle": str(obj),
            "opts": model_admin.opts,
            "object": obj,
            "back": model_admin.object_url(obj),
            "secret": secret,
            "note": note,
        },
    )
    response.audit_detail = f"{what}: shown once"  # type: ignore[attr-defined]
    add_never_cache_headers(response)
    return response
