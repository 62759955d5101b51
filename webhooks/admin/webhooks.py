"""Staff's view of webhooks and recoveries."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from pave.operations.admin_pages import ReadOnlyAdmin
from webhooks import endpoints, holding, receiver_check, recovering, trial
from webhooks.addresses import AddressError
from webhooks.event_types import EVENT_TYPES, GROUPS, is_known
from webhooks.models import Recovery, Webhook
from webhooks.recording import MASK


class WebhookForm(forms.ModelForm):
    """What staff may set of a webhook by hand; the rest are actions."""

    class Meta:
        model = Webhook
        fields = ["client", "url", "description", "events", "max_in_flight"]

    def clean_url(self) -> str:
        """Refuse an address that may not be used, with the reason."""
        url: str = self.cleaned_data["url"]
        try:
            endpoints.address_policy().check_resolves(url)
        except AddressError as error:
            raise forms.ValidationError(str(error)) from error
        return url

    def clean_events(self) -> list[str]:
        """Refuse types that there are not."""
        events = self.cleaned_data["events"] or []
        if not isinstance(events, list) or not all(
            isinstance(name, str) and is_known(name) for name in events
        ):
            names = ", ".join((*EVENT_TYPES, *GROUPS))
            raise forms.ValidationError(f"Must be a JSON list of event types: {names}.")
        return events


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin):
    form = WebhookForm
    list_display = (
        "url",
        "client",
        "enabled",
        "disabled_by",
        "breaker_state",
        "failing_since",
        "created_at",
    )
    list_filter = ("enabled", "disabled_by", ("breaker_opened_at", admin.EmptyFieldListFilter))
    list_select_related = ("client",)
    search_fields = ("=id", "url", "description", "client__client_id", "client__name")
    autocomplete_fields = ("client",)
    readonly_fields = (
        "id",
        "header_names",
        "enabled",
        "disabled_by",
        "disabled_at",
        "staff_told_at",
        "failing_since",
        "breaker_state",
        "breaker_failures",
        "paused_until",
        "window",
        "steady",
        "live_secrets",
        "created_at",
    )
    fields = ("id", *WebhookForm.Meta.fields, *readonly_fields[1:])
    actions = ["enable", "disable", "rotate_secret", "send_test", "check_receiver"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        return super().get_queryset(request).filter(deleted_at=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> tuple:
        return (*self.readonly_fields, "client") if obj else self.readonly_fields

    @admin.display(description="headers")
    def header_names(self, webhook: Webhook) -> str:
        # Any of the values may be a secret.
        return format_html_join(
            "", "<div>{}: {}</div>", ((name, MASK) for name in webhook.headers or {})
        )

    @admin.display(description="breaker")
    def breaker_state(self, webhook: Webhook) -> str:
        return webhook.breaker

    @admin.display(description="secrets")
    def live_secrets(self, webhook: Webhook) -> str:
        return format_html_join(
            "",
            "<div>made {}{}</div>",
            (
                (
                    f"{secret.created_at:%Y-%m-%d %H:%M}",
                    f", ends {secret.expires_at:%Y-%m-%d %H:%M}" if secret.expires_at else "",
                )
                for secret in webhook.secrets.all()
            ),
        )

    def save_model(
        self, request: HttpRequest, obj: Webhook, form: WebhookForm, change: bool
    ) -> None:
        if change:
            # As it is now: the form has set its values on this object already.
            stored = Webhook.objects.get(pk=obj.pk)
            endpoints.change(
                webhook=stored, fields={name: form.cleaned_data[name] for name in form.changed_data}
            )
            return
        made, secret = endpoints.create(**form.cleaned_data)
        obj.pk = made.pk
        obj._state.adding = False
        self._show_secret(request, made, secret)

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        endpoints.delete(webhook=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            endpoints.delete(webhook=webhook)

    def get_deleted_objects(self, objs: object, request: HttpRequest) -> tuple:
        # Deleting here takes a webhook out of use and removes no row, so there is nothing to list.
        return [str(obj) for obj in objs], {}, set(), []  # type: ignore[attr-defined]

    @admin.action(description="Enable: release what is held")
    def enable(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        released = sum(holding.enable(webhook=webhook) for webhook in queryset)
        self.message_user(request, f"Enabled; {released} held deliveries are on their way.")

    @admin.action(description="Disable: hold deliveries")
    def disable(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        done = sum(
            holding.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF)
            for webhook in queryset
        )
        self.message_user(request, f"Disabled {done}; their deliveries are held.")

    @admin.action(description="Rotate the signing secret")
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            try:
                secret = endpoints.rotate_secret(webhook=webhook)
            except endpoints.TooMany as error:
                self.message_user(request, f"{webhook}: {error}", messages.ERROR)
            else:
                self._show_secret(request, webhook, secret)

    @admin.action(description="Send a test event now")
    def send_test(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in self._few(request, queryset):
            attempt = trial.send_test(webhook=webhook).attempt_set.get()
            outcome = f"{attempt.status_code}" if attempt.ok else f"{attempt.error}"
            self.message_user(
                request,
                f"{webhook}: {outcome} after {attempt.duration_ms} ms. {attempt.detail}",
                messages.SUCCESS if attempt.ok else messages.ERROR,
            )

    @admin.action(description="Check whether the receiver verifies what it gets")
    def check_receiver(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in self._few(request, queryset):
            findings = receiver_check.check(webhook=webhook)
            wrong = [finding for finding in findings if not finding.right]
            for finding in wrong:
                self.message_user(
                    request, f"{webhook}: {finding.kind.name}: {finding.why}", messages.ERROR
                )
            if not wrong:
                self.message_user(
                    request, f"{webhook}: all five messages rightly handled.", messages.SUCCESS
                )

    def _few(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> list[Webhook]:
        """Return the first few: each may take as long as the time-out, and somebody waits."""
        limit = 2
        if queryset.count() > limit:
            self.message_user(request, f"Only the first {limit} were tried.", messages.WARNING)
        return list(queryset[:limit])

    def _show_secret(self, request: HttpRequest, webhook: Webhook, secret: str) -> None:
        messages.warning(
            request,
            format_html(
                "Signing secret of {}: <code>{}</code>. Copy it now, it is not shown again.",
                webhook.url,
                secret,
            ),
        )


@admin.register(Recovery)
class RecoveryAdmin(ReadOnlyAdmin):
    list_display = ("id", "webhook", "status", "since", "until", "total", "queued", "created_at")
    list_filter = ("status",)
    list_select_related = ("webhook",)
    search_fields = ("=id", "=webhook__id")
    fields = (
        "id",
        "webhook",
        "since",
        "until",
        "status",
        "total",
        "queued",
        "progress",
        "created_at",
        "completed_at",
    )
    readonly_fields = ("progress",)

    @admin.display(description="deliveries by status")
    def progress(self, recovery: Recovery) -> str:
        counts = recovering.progress(recovery)
        return ", ".join(f"{name} {count}" for name, count in counts.items())
