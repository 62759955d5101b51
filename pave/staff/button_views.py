"""The views of buttons: confirmation, action, message and audit entry."""

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

from pave.core.card_numbers.masking import masked
from pave.staff import audit
from pave.staff.buttons import Button, Refused, buttons_of
from pave.staff.models import AuditEntry

# A bulk action is performed object by object while the browser waits.
MAX_BULK = 200


class ButtonsMixin:
    """The buttons of a model's pages; see ``pave.staff.buttons``."""

    opts: Any
    admin_site: Any
    model: Any

    def buttons_for(self, request: HttpRequest, obj: Model) -> list[dict[str, Any]]:
        """Return the buttons that the request's user is offered on the page of ``obj``."""
        return [
            {"button": button, "url": self.button_url(button, obj)}
            for button in buttons_of(type(self)).values()
            if button.allowed(request) and button.offered(obj)
        ]

    def button_url(self, button: Button, obj: Model) -> str:
        """Return the URL of a button of an object."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_do"
        return reverse(name, args=[self.url_id(obj), button.name])

    def url_id(self, obj: Any) -> str:
        """Return an object's id in URLs."""
        return str(obj.pk)

    def object_url(self, obj: Model) -> str:
        """Return the page of an object."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[self.url_id(obj)])

    def object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """Return the object of a URL, if the request's user may see it."""
        obj = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]  # a mixin of ModelAdmin
        if obj is None:
            raise Http404
        if not self.has_view_permission(request, obj):  # type: ignore[attr-defined]  # a mixin of ModelAdmin
            raise PermissionDenied
        self.record_opening(request, obj)  # type: ignore[attr-defined]  # a mixin of StaffAdmin
        return obj

    def get_urls(self) -> list:
        name = f"{self.opts.app_label}_{self.opts.model_name}_do"
        view = self.admin_site.admin_view(self.do_view)
        return [
            path("<str:object_id>/do/<slug:button_name>/", view, name=name),
            *super().get_urls(),  # type: ignore[misc]  # a mixin of ModelAdmin
        ]

    def do_view(self, request: HttpRequest, object_id: str, button_name: str) -> HttpResponse:
        """Show a button's confirmation or form, and perform its action."""
        button = buttons_of(type(self)).get(button_name)
        if button is None:
            raise Http404
        obj = self.object_or_404(request, object_id)
        if not button.allowed(request):
            raise PermissionDenied
        if not button.offered(obj):
            messages.warning(request, f"“{button.label}” is not possible for {obj} as it is now.")
            return HttpResponseRedirect(self.object_url(obj))
        if request.method != "POST":
            if not button.asks:
                return HttpResponseRedirect(self.object_url(obj))
            form = button.form(**self.button_form(button, obj)) if button.form else None
            return self.ask(request, button, [obj], form)
        form = button.form(request.POST, **self.button_form(button, obj)) if button.form else None
        if form is not None and not form.is_valid():
            return self.ask(request, button, [obj], form)
        try:
            result = self._perform(request, button, obj, form)
        except Refused as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.object_url(obj))
        if isinstance(result, HttpResponse):
            return result
        messages.success(request, result)
        return HttpResponseRedirect(self.object_url(obj))

    def button_form(self, button: Button, obj: Any) -> dict[str, Any]:
        """Return further arguments of a button's form, such as ``initial``."""
        return {}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)  # type: ignore[misc]  # a mixin of ModelAdmin
        for button in buttons_of(type(self)).values():
            if button.bulk and button.allowed(request):
                actions[button.name] = (
                    partial(_perform_many, button=button),
                    button.name,
                    button.bulk,
                )
        return actions

    def _perform(
        self, request: HttpRequest, button: Button, obj: Any, form: forms.Form | None
    ) -> str | HttpResponse:
        try:
            with transaction.atomic() if button.atomic else nullcontext():
                return self._perform_recorded(request, button, obj, form)
        except type(obj).DoesNotExist as error:
            raise Refused("It has been removed meanwhile.") from error

    def _perform_recorded(
        self, request: HttpRequest, button: Button, obj: Any, form: forms.Form | None
    ) -> str | HttpResponse:
        """Perform a button's action, and record it in the audit trail."""
        before = audit.snapshot(obj)
        method: Callable[..., str | HttpResponse] = getattr(self, button.name)
        result = method(request, obj, form.cleaned_data if form else {})
        current = type(obj)._base_manager.filter(pk=obj.pk).first()
        changes = {}
        if current is not None:
            changes = {
                name: values
                for name, values in audit.differences(before, audit.snapshot(current)).items()
                if button.changes is None or name in button.changes
            }
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
        entry = audit.record(
            request, action=button.label.lower(), obj=obj, changes=changes, detail=detail
        )
        if current is None:  # its client was erased meanwhile
            audit.blank(AuditEntry.objects.filter(pk=entry.pk))
        return result

    def ask(
        self,
        request: HttpRequest,
        button: Button,
        objects: list[Any],
        form: forms.Form | None,
        **context: Any,
    ) -> HttpResponse:
        """Return the page that asks before a button's action."""
        return TemplateResponse(
            request,
            button.template,
            {
                **self.admin_site.each_context(request),
                "title": button.label if len(objects) == 1 else button.bulk,
                "opts": self.opts,
                "button": button,
                "objects": objects,
                "selected": [self.url_id(obj) for obj in objects],
                "object": objects[0] if len(objects) == 1 else None,
                "back": self.object_url(objects[0]) if len(objects) == 1 else "",
                "form": form,
                **context,
            },
        )


def _perform_many(
    model_admin: ButtonsMixin, request: HttpRequest, queryset: QuerySet, *, button: Button
) -> HttpResponse | None:
    """Perform a button's action on the selected objects, after confirmation."""
    if not button.allowed(request):
        raise PermissionDenied
    objects = list(queryset[: MAX_BULK + 1])
    if len(objects) > MAX_BULK:
        messages.error(request, f"Select {MAX_BULK} at most; nothing was done.")
        return None
    possible = [obj for obj in objects if button.offered(obj)]
    if not possible:
        messages.warning(request, f"“{button.bulk}” is possible for none of the {len(objects)}.")
        return None
    form = None
    if button.form is not None:
        form = button.form(request.POST) if request.POST.get("confirmed") else button.form()
    if not request.POST.get("confirmed") or (form is not None and not form.is_valid()):
        return model_admin.ask(
            request, button, possible, form, bulk=True, left_out=len(objects) - len(possible)
        )
    done, refused = 0, []
    for obj in possible:
        try:
            model_admin._perform(request, button, obj, form)
        except Refused as error:
            refused.append(f"{obj}: {error}")
        else:
            done += 1
    messages.success(request, f"{button.bulk}: done for {done} of {len(objects)} selected.")
    for sentence in refused[:10]:
        messages.error(request, sentence)
    return None


def shown_once(
    request: HttpRequest, *, model_admin: Any, obj: Model, what: str, secret: str, note: str = ""
) -> HttpResponse:
    """Return the page that shows a new secret.

    It is the response to the POST that created it: so it is in no message, session, cookie, log or
    cache, and gone with the page.
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
    response.audit_detail = f"{what}: shown once"  # type: ignore[attr-defined]  # read above
    add_never_cache_headers(response)
    return response
