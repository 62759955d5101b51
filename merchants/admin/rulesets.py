"""Staff's view of rulesets: what is published, the draft, and trying a descriptor out."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from merchants.catalogue import draft, rulesets
from merchants.matching.types import Transaction
from merchants.models import Merchant, Revision, Ruleset
from pave.core.database import lock_limit
from pave.staff import audit
from pave.staff.buttons import Refused, Result, button
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago, pill

PUBLISH = "merchants.publish_ruleset"
SHOWN = 100
LOCKED = "Somebody else keeps something locked that this needs. Nothing is published; try again."


class PublishForm(forms.Form):
    """The form for a publication: its note, and which draft was reviewed."""

    note = forms.CharField(max_length=300, label="What changed", help_text="For other staff.")
    fingerprint = forms.CharField(widget=forms.HiddenInput)


class TryForm(forms.Form):
    """The form for a transaction to try."""

    description = forms.CharField(max_length=500, label="Descriptor")
    mcc = forms.RegexField(r"^\d{4}$", required=False, label="MCC")
    country = forms.RegexField(r"^[A-Za-z]{2}$", required=False, label="Country")
    currency = forms.RegexField(r"^[A-Za-z]{3}$", required=False, label="Currency")
    city = forms.CharField(max_length=100, required=False, label="City")

    def transaction(self) -> Transaction:
        """Return the transaction that the form describes."""
        return Transaction.from_json(self.cleaned_data)


@admin.register(Ruleset)
class RulesetAdmin(ReadOnlyAdmin):
    navigation_place = 5
    purpose = "Published versions of the catalogue and its rules. The newest one answers."
    list_display = ("__str__", "state", "note", "published_by", "published", "progress")
    list_select_related = ("revision", "restores")
    show_form = False
    panels_above = ("merchants/ruleset_panels.html",)
    change_list_template = "merchants/ruleset_list.html"
    extra_pages = (
        ("Try a descriptor", "admin:merchants_ruleset_try"),
        ("Draft and preview", "admin:merchants_ruleset_draft"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ruleset]:
        return super().get_queryset(request).defer("content").select_related("restores")

    def get_urls(self) -> list:
        view = self.admin_site.admin_view
        return [
            path("draft/", view(self.draft_view), name="merchants_ruleset_draft"),
            path("try/", view(self.try_view), name="merchants_ruleset_try"),
            *super().get_urls(),
        ]

    def status_of(self, obj: Ruleset) -> SafeString | str:
        return pill("current") if obj.pk == rulesets.current().pk else ""

    def panel_context(self, request: HttpRequest, obj: Ruleset) -> dict[str, Any]:
        content = rulesets.content_of(obj.number)
        return {
            "ruleset": obj,
            "revision": Revision.objects.filter(ruleset=obj).first(),
            "merchants_count": len(content.merchants),
            "rules_count": len(content.rules),
        }

    @admin.display(description="state")
    def state(self, ruleset: Ruleset) -> SafeString | str:
        return self.status_of(ruleset)

    @admin.display(description="published")
    def published(self, ruleset: Ruleset) -> str:
        return ago(ruleset.published_at)

    @admin.display(description="earlier answers")
    def progress(self, ruleset: Ruleset) -> str:
        revision = getattr(ruleset, "revision", None)
        if revision is None:
            return ""
        return f"{revision.changed:,} changed of {revision.examined:,} examined"

    @button(
        "Go back to it",
        permission=PUBLISH,
        look="danger",
        confirmation="Publish this ruleset's content again, as a new ruleset? The draft stays as "
        "it is. Earlier answers are revised, and clients notified of those that change.",
        offered=lambda ruleset: ruleset.pk != rulesets.current().pk,
    )
    def roll_back(self, request: HttpRequest, ruleset: Ruleset, data: dict) -> Result:
        before = rulesets.current()
        try:
            new = rulesets.roll_back(to=ruleset, by=request.user.get_username())
        except lock_limit.Locked as error:
            raise Refused(LOCKED) from error
        if new.pk == before.pk:
            raise Refused(f"Nothing to publish: {before} has the same content.")
        return f"Published as {new}."

    def draft_view(self, request: HttpRequest) -> HttpResponse:
        """Show what publishing would change, and publish it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        may_publish = request.user.has_perm(PUBLISH)
        form = PublishForm(initial={"fingerprint": draft.fingerprint()})
        if request.method == "POST":
            if not may_publish:
                raise PermissionDenied
            form = PublishForm(request.POST)
            if form.is_valid():
                return self._publish(request, form.cleaned_data)
        differences = draft.differences()
        wanted = "preview" in request.GET
        preview = draft.preview_of_draft(compute=wanted) if differences else None
        return TemplateResponse(
            request,
            "merchants/draft.html",
            {
                **self.admin_site.each_context(request),
                "title": "Draft and preview",
                "opts": self.opts,
                "current": rulesets.current(),
                "differences": differences[:SHOWN],
                "count": len(differences),
                "hidden": Merchant.objects.filter(active=True, published=False),
                "wanted": wanted,
                "preview": preview,
                "examples": draft.examples_of(preview) if preview else {},
                "form": form,
                "may_publish": may_publish,
            },
        )

    def _publish(self, request: HttpRequest, data: dict[str, str]) -> HttpResponse:
        here = reverse("admin:merchants_ruleset_draft")
        before = rulesets.current()
        try:
            ruleset = draft.publish(
                seen_fingerprint=data["fingerprint"],
                note=data["note"],
                by=request.user.get_username(),
            )
        except lock_limit.Locked:
            messages.error(request, LOCKED)
            return HttpResponseRedirect(here)
        except draft.DraftChanged:
            messages.error(request, "The draft has changed since you looked. Look again.")
            return HttpResponseRedirect(here)
        if ruleset.pk == before.pk:
            messages.info(request, "The draft is no different from what is published.")
            return HttpResponseRedirect(here)
        audit.record(
            request,
            action="published",
            obj=ruleset,
            changes={"answers": [str(before), str(ruleset)]},
            detail=ruleset.note,
        )
        messages.success(request, f"Published as {ruleset}. Earlier answers are being revised.")
        return HttpResponseRedirect(self.object_url(ruleset))

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Show the answer for a transaction, and why."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = TryForm(request.GET if "description" in request.GET else None)
        tried = None
        if form.is_bound and form.is_valid():
            tried = draft.try_out(form.transaction())
        return TemplateResponse(
            request,
            "merchants/try.html",
            {
                **self.admin_site.each_context(request),
                "title": "Try a descriptor",
                "opts": self.opts,
                "form": form,
                "tried": tried,
                "another_answers": not rulesets.uses_rulesets(),
                "current": rulesets.current(),
            },
        )
