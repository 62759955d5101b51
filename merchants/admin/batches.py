"""Staff's view of batches."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from merchants.admin.requests import ClientFilter
from merchants.models import Batch
from merchants.requests import cancellation
from pave.staff.buttons import Refused, Result, button
from pave.staff.global_search import as_uuid
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago, pill
from webhooks.models import Delivery

ERRORS_SHOWN = 50


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    navigation_place = 1
    purpose = "Many transactions that a client sent at once."
    list_display = ("id", "client", "state", "accepted", "rejected", "pending_rows", "made")
    list_filter = (ClientFilter, "status")
    list_select_related = ("client",)
    search_fields = ("id",)
    search_help_text = "The id of a batch."
    show_form = False
    panels_above = ("merchants/batch_panels.html",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        queryset = super().get_queryset(request)
        match = request.resolver_match
        return queryset if match and "object_id" in match.kwargs else queryset.defer("errors")

    def search_indexed(self, queryset: QuerySet[Batch], text: str) -> QuerySet[Batch]:
        pk = as_uuid(text)
        return queryset.filter(pk=pk) if pk else queryset.none()

    def status_of(self, obj: Batch) -> SafeString:
        return pill(obj.status)

    def panel_context(self, request: HttpRequest, obj: Batch) -> dict[str, Any]:
        return {
            "batch": obj,
            "ended": obj.completed + obj.failed + obj.canceled,
            "errors": obj.errors[:ERRORS_SHOWN],
            "deliveries": list(
                Delivery.objects.filter(event__subject_id=obj.pk)
                .select_related("event")
                .defer("event__body")
            ),
        }

    @button(
        "Cancel",
        permission="merchants.cancel_batch",
        look="danger",
        confirmation="Cancel the rows that are not final yet? Answers stay; the client "
        "is not notified of the canceled rows.",
        offered=lambda batch: batch.status == Batch.Status.PROCESSING,
    )
    def cancel(self, request: HttpRequest, batch: Batch, data: dict) -> Result:
        try:
            cancellation.cancel_batch(batch=batch)
        except cancellation.AlreadyFinal as error:
            raise Refused("All of its rows are final.") from error
        if batch.status == Batch.Status.PROCESSING:
            return f"{batch.canceled:,} rows are canceled; the cluster cancels the others."
        return f"{batch.canceled:,} rows are canceled."

    @admin.display(description="status")
    def state(self, batch: Batch) -> SafeString:
        return pill(batch.status)

    @admin.display(description="pending")
    def pending_rows(self, batch: Batch) -> int:
        return batch.pending

    @admin.display(description="received")
    def made(self, batch: Batch) -> str:
        return ago(batch.created_at)
