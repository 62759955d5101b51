"""Staff's view of webhooks: their state, and what can be done about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from pave.core.concurrency import Busy
from pave.staff.button_views import shown_once
from pave.staff.buttons import Button, Refused, Result, button
from pave.staff.global_search import as_uuid
from pave.staff.model_admin import StaffAdmin
from pave.staff.templatetags.staff import ago, duration, pill
from webhooks.admin.filters import StateFilter, state_of
from webhooks.admin.forms import RecoverForm, RotateForm, WebhookForm
from webhooks.admin.webhook_page import page_context
from webhooks.delivery import endpoint_check, recovery, test_event
from webhooks.endpoints import enabling, services
from webhooks.models import Webhook

OPERATE = "webhooks.operate_webhook"
# What enabling and disabling change.
SWITCHED = ("enabled", "disabled_by", "disabled_at")


@contextmanager
def _test_slot(request: HttpRequest) -> Iterator[None]:
    """Hold a slot for sending while the staff member waits.

    Raises:
        Refused: The limit is reached.
    """
    try:
        with test_event.INLINE.slot(f"staff-{request.user.pk}"):
            yield
    except Busy as error:
        raise Refused(str(error)) from error


@admin.register(Webhook)
class WebhookAdmin(StaffAdmin):
    form = WebhookForm
    navigation_place = 0
    purpose = (
        "Where clients are notified of answers. A disabled webhook loses nothing: "
        "its deliveries are held until it is enabled."
    )
    list_display = ("url", "client", "state", "why", "failing", "description", "made")
    list_filter = (StateFilter, "disabled_by")
    list_select_related = ("client",)
    search_fields = ("url",)
    search_help_text = "Part of the URL, the webhook's id, or a client's id or name."
    autocomplete_fields = ("client",)
    fields = tuple(WebhookForm.Meta.fields)
    panels_above = (
        "webhooks/webhook_state.html",
        "webhooks/webhook_plots.html",
        "webhooks/webhook_deliveries.html",
    )
    panels_below = ("webhooks/webhook_facts.html",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        return super().get_queryset(request).select_related("client")

    def search_indexed(self, queryset: QuerySet[Webhook], text: str) -> QuerySet[Webhook]:
        if pk := as_uuid(text):
            return queryset.filter(pk=pk)
        return queryset.filter(
            Q(url__icontains=text)
            | Q(client__client_id__iexact=text)
            | Q(client__name__icontains=text)
        )

    def get_form(
        self, request: HttpRequest, obj: Webhook | None = None, change: bool = False, **kwargs: Any
    ) -> type[WebhookForm]:
        form: type[WebhookForm] = super().get_form(  # type: ignore[assignment]  # a subclass of ``form``
            request, obj, change, **kwargs
        )
        form.caller = f"staff-{request.user.pk}"  # a class of this request's own
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> tuple:
        return ("client",) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Webhook | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.deleted_at)

    def status_of(self, obj: Webhook) -> SafeString:
        return pill(state_of(obj))

    def panel_context(self, request: HttpRequest, obj: Webhook) -> dict[str, Any]:
        return page_context(request, obj)

    # --- The list -------------------------------------------------------------------------------

    @admin.display(description="state")
    def state(self, webhook: Webhook) -> SafeString:
        return pill(state_of(webhook))

    @admin.display(description="because")
    def why(self, webhook: Webhook) -> str:
        return webhook.get_disabled_by_display() if not webhook.enabled else ""

    @admin.display(description="failing since")
    def failing(self, webhook: Webhook) -> str:
        return ago(webhook.failing_since)

    @admin.display(description="made")
    def made(self, webhook: Webhook) -> str:
        return ago(webhook.created_at)

    # --- Saving ---------------------------------------------------------------------------------

    def save(self, request: HttpRequest, obj: Webhook, form: WebhookForm, change: bool) -> None:
        if change:
            # As it is now: the form has set its values on this object already.
            changed = services.change(
                webhook=Webhook.objects.get(pk=obj.pk),
                fields={name: form.cleaned_data[name] for name in form.changed_data},
            )
            if not changed:
                raise Http404("This webhook has just been deleted.")
            return
        created, secret = services.create(**form.cleaned_data)
        request.new_secret = secret  # type: ignore[attr-defined]  # for response_add
        obj.pk = created.pk
        obj._state.adding = False
        obj.refresh_from_db()

    def response_add(
        self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None
    ) -> HttpResponse:
        return shown_once(
            request,
            model_admin=self,
            obj=obj,
            what="Signing secret",
            secret=request.new_secret,  # type: ignore[attr-defined]  # set by save
            note="The client needs it to verify what Pave sends.",
        )

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        services.delete(webhook=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            services.delete(webhook=webhook)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple:
        # Deleting here takes a webhook out of use and removes no row, so there is nothing to list.
        return [f"{obj}: its waiting deliveries are canceled" for obj in objs], {}, set(), []

    def button_form(self, button: Button, obj: Webhook) -> dict[str, Any]:
        return {"initial": RecoverForm.initial_values()} if button.name == "recover" else {}

    # --- Buttons --------------------------------------------------------------------------------

    @button(
        "Send a test",
        permission=OPERATE,
        offered=lambda webhook: not webhook.deleted_at,
        atomic=False,
        changes=(),
    )
    def send_test(self, request: HttpRequest, webhook: Webhook, data: dict) -> Result:
        try:
            with _test_slot(request):
                delivery = test_event.send_test(webhook=webhook)
        except services.Deleted as error:
            raise Refused(str(error)) from error
        attempt = delivery.attempt_set.get()
        if attempt.ok:
            text = (
                f"The test was answered {attempt.status_code} in {duration(attempt.duration_ms)}."
            )
        else:
            text = f"The test failed ({attempt.error}): {attempt.detail}"
        messages.add_message(request, messages.SUCCESS if attempt.ok else messages.ERROR, text)
        url = reverse("admin:webhooks_delivery_change", args=[delivery.pk])
        response = HttpResponseRedirect(url)
        response.audit_detail = text  # type: ignore[attr-defined]  # the audit trail reads it
        return response

    @button(
        "Check the receiver",
        permission=OPERATE,
        offered=lambda webhook: not webhook.deleted_at,
        atomic=False,
        changes=(),
    )
    def check_receiver(self, request: HttpRequest, webhook: Webhook, data: dict) -> Result:
        with _test_slot(request):
            results = endpoint_check.check(webhook=webhook)
        failed = [result.message.name for result in results if not result.passed]
        response = TemplateResponse(
            request,
            "webhooks/receiver_check.html",
            {
                **self.admin_site.each_context(request),
                "title": "Check of the receiver",
                "subtitle": str(webhook),
                "opts": self.opts,
                "object": webhook,
                "back": self.object_url(webhook),
                "results": results,
                "failed": failed,
            },
        )
        detail = f"wrong: {', '.join(failed)}" if failed else "all right"
        response.audit_detail = detail  # type: ignore[attr-defined]  # the audit trail reads it
        return response

    @button(
        "Recover",
        permission=OPERATE,
        form=RecoverForm,
        confirmation="Send again what was created in a window of time and never succeeded. "
        "What has succeeded is not sent twice.",
        template="webhooks/recover.html",
        offered=lambda webhook: not webhook.deleted_at,
        changes=(),
    )
    def recover(self, request: HttpRequest, webhook: Webhook, data: dict) -> Result:
        if "dry_run" in request.POST:
            counts = recovery.count(webhook=webhook, **data)
            response = self.ask(
                request,
                self.recover.button,  # type: ignore[attr-defined]  # the decorator sets it
                [webhook],
                RecoverForm(request.POST),  # as it was filled in
                counts=counts,
                total=_total(sum(counts.values())),
            )
            response.audit_detail = "dry run"  # type: ignore[attr-defined]  # the audit trail reads it
            return response
        try:
            job = recovery.start(webhook=webhook, **data)
        except recovery.AlreadyRunning as error:
            raise Refused(str(error)) from error
        return f"Recovery begun: {_total(job.total)} deliveries will be sent again."

    @button(
        "Rotate the secret",
        permission="webhooks.rotate_secret",
        form=RotateForm,
        confirmation="Make a new signing secret. It is shown once, on the next page.",
        offered=lambda webhook: not webhook.deleted_at,
        changes=(),
    )
    def rotate_secret(self, request: HttpRequest, webhook: Webhook, data: dict) -> Result:
        try:
            secret = services.rotate_secret(
                webhook=webhook, overlap=timedelta(hours=data["overlap"])
            )
        except (services.LimitReached, services.Deleted) as error:
            raise Refused(str(error)) from error
        note = (
            f"The old one goes on signing for {data['overlap']} hours." if data["overlap"] else ""
        )
        return shown_once(
            request,
            model_admin=self,
            obj=webhook,
            what="New signing secret",
            secret=secret,
            note=note or "The old one no longer signs.",
        )

    @button(
        "Enable",
        permission=OPERATE,
        look="primary",
        confirmation="Send to it again, and release what is held, oldest first, at its own pace?",
        offered=lambda webhook: not webhook.enabled and not webhook.deleted_at,
        bulk="Enable: release what is held",
        changes=SWITCHED,
    )
    def enable(self, request: HttpRequest, webhook: Webhook, data: dict) -> Result:
        released = enabling.enable(webhook=webhook)
        return f"Enabled; {released} held deliveries are queued."

    @button(
        "Disable",
        permission=OPERATE,
        look="danger",
        confirmation="Stop sending to it? Its deliveries are held, each for "
        f"{settings.PAVE_HELD_DAYS} days.",
        offered=lambda webhook: (
            webhook.disabled_by != Webhook.DisabledBy.STAFF and not webhook.deleted_at
        ),
        bulk="Disable: hold deliveries",
        changes=SWITCHED,
    )
    def disable(self, request: HttpRequest, webhook: Webhook, data: dict) -> Result:
        changed = enabling.disable(
            webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF, now=timezone.now()
        )
        if changed:
            return "Disabled; its deliveries are held."
        webhook.refresh_from_db()
        if webhook.deleted_at:
            raise Refused(str(services.Deleted()))
        return "It was disabled already; only staff can enable it now."


def _total(counted: int) -> str:
    return f"at least {counted}" if counted >= recovery.COUNTED else str(counted)
