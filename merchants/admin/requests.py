"""Staff's view of requests: the transaction, the answer and its evidence, and the deliveries."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString

from merchants.admin import lookups
from merchants.admin.timeline import deliveries_of, timeline
from merchants.catalogue import feedback
from merchants.models import Batch, NormalizationRequest, Resolution
from merchants.requests.events import describe
from pave.clients.models import Client
from pave.staff.buttons import Result, button
from pave.staff.filters import ChosenFilter
from pave.staff.global_search import as_uuid
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago, pill

Status = NormalizationRequest.Status
ELSEWHERE = 6


class ClientFilter(ChosenFilter):
    title = "client"
    parameter_name = "client__id__exact"

    def chosen(self, value: str) -> Client | None:
        return Client.objects.filter(pk=value).first() if value.isdigit() else None


class BatchFilter(ChosenFilter):
    title = "batch"
    parameter_name = "batch__id__exact"

    def chosen(self, value: str) -> Batch | None:
        pk = as_uuid(value)
        return Batch.objects.filter(pk=pk).first() if pk else None


class ResolutionFilter(ChosenFilter):
    title = "resolution"
    parameter_name = "resolution__id__exact"

    def chosen(self, value: str) -> Resolution | None:
        pk = as_uuid(value)
        return Resolution.objects.filter(pk=pk).first() if pk else None


class WrongForm(forms.Form):
    """The form for a correction of an answer."""

    merchant = forms.CharField(
        max_length=200,
        label="The right merchant",
        help_text="Its name as people know it; “n/a” if the text names no merchant.",
    )
    comment = forms.CharField(
        max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


@admin.register(NormalizationRequest)
class NormalizationRequestAdmin(ReadOnlyAdmin):
    navigation_place = 0
    purpose = "Transactions that clients have sent, newest first."
    list_display = ("description", "state", "answer", "client", "reference", "made", "took")
    list_filter = ("status", ClientFilter, BatchFilter, ResolutionFilter)
    list_select_related = ("client", "resolution")
    search_fields = ("id",)
    search_help_text = "A request's id, the client's reference, or the beginning of the descriptor."
    show_form = False
    shows_transaction = True
    panels_above = ("merchants/request_answer.html", "merchants/request_timeline.html")
    panels_below = ("merchants/request_elsewhere.html",)

    def search_indexed(
        self, queryset: QuerySet[NormalizationRequest], text: str
    ) -> QuerySet[NormalizationRequest]:
        if pk := as_uuid(text):
            return queryset.filter(pk=pk)
        with_reference = lookups.by_reference(text)
        matches = with_reference if with_reference.exists() else lookups.by_descriptor(text)
        return queryset & matches

    def status_of(self, obj: NormalizationRequest) -> SafeString:
        return pill(obj.status)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> NormalizationRequest | None:
        pk = as_uuid(object_id)
        return (
            NormalizationRequest.objects.select_related(
                "client", "batch", "resolution__merchant", "resolution__rule"
            )
            .filter(pk=pk)
            .first()
            if pk
            else None
        )

    def panel_context(self, request: HttpRequest, obj: NormalizationRequest) -> dict[str, Any]:
        deliveries = deliveries_of(obj)
        resolution = obj.resolution
        elsewhere: list[NormalizationRequest] = []
        if resolution is not None:
            others = NormalizationRequest.objects.filter(resolution=resolution)
            newest = others.select_related("client").order_by("-id")[: ELSEWHERE + 1]
            elsewhere = [other for other in newest if other.pk != obj.pk][:ELSEWHERE]
        described = describe(obj, resolution)
        return {
            "taken": obj,
            "resolution": resolution,
            "answered": described["merchant"] is not None,
            "described": described,
            "evidence": [*obj.own_reading.evidence(), *(resolution.evidence if resolution else ())],
            "deliveries": deliveries,
            "timeline": timeline(obj, deliveries),
            "elsewhere": elsewhere,
            "feedback_given": list(obj.feedback.all()[:5]),
        }

    # --- The list -------------------------------------------------------------------------------

    @admin.display(description="status")
    def state(self, request: NormalizationRequest) -> SafeString:
        return pill(request.status)

    @admin.display(description="merchant")
    def answer(self, request: NormalizationRequest) -> str:
        resolution = request.resolution
        if request.status == Status.COMPLETED and resolution and resolution.answer:
            return resolution.answer["merchant"]["name"]
        return ""

    @admin.display(description="received")
    def made(self, request: NormalizationRequest) -> str:
        return ago(request.created_at)

    @admin.display(description="took")
    def took(self, request: NormalizationRequest) -> str:
        if request.completed_at is None:
            return ""
        return f"{(request.completed_at - request.created_at).total_seconds():.3g} s"

    # --- Buttons --------------------------------------------------------------------------------

    @button(
        "This is wrong",
        permission="merchants.add_feedback",
        form=WrongForm,
        look="primary",
        confirmation="Say what it should have been. A matcher reviews it; once a change is "
        "published, earlier answers are corrected too, and their clients notified.",
        offered=lambda taken: taken.status == Status.COMPLETED,
        changes=(),
    )
    def wrong(self, request: HttpRequest, taken: NormalizationRequest, data: dict) -> Result:
        correction = feedback.give(
            request=taken,
            merchant=data["merchant"],
            comment=data["comment"],
            by=request.user.get_username(),
        )
        if not request.user.has_perm("merchants.review_feedback"):
            return "Put on the list for review."
        messages.success(request, "Put on the list for review. You may decide on it here.")
        url = reverse("admin:merchants_feedback_change", args=[correction.pk])
        return HttpResponseRedirect(url)
