"""Forms about webhooks."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from webhooks.endpoints import name_lookups
from webhooks.endpoints.services import refuse_card_number
from webhooks.event_types import EVENT_TYPES, GROUPS
from webhooks.http.address_policy import AddressError
from webhooks.models import Webhook


class WebhookForm(forms.ModelForm):
    """The fields that staff may set; the rest are buttons."""

    events = forms.MultipleChoiceField(
        choices=[(name, name) for name in (*EVENT_TYPES, *GROUPS)],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Which events it is notified of. None ticked: all of them.",
    )

    # The caller that waits for the look-up of the host; see webhooks/endpoints/name_lookups.py.
    caller: str

    class Meta:
        model = Webhook
        fields = ["client", "url", "description", "events", "max_in_flight"]

    def clean_url(self) -> str:
        """Refuse an address that may not be used, with the reason."""
        url: str = self.cleaned_data["url"]
        try:
            refuse_card_number(url)
            name_lookups.policy_for(self.caller).check_resolves(url)
        except (AddressError, name_lookups.Busy) as error:
            raise forms.ValidationError(str(error)) from error
        return url


class RotateForm(forms.Form):
    """How long the old secret stays valid."""

    overlap = forms.TypedChoiceField(
        label="The old secret goes on signing for",
        coerce=int,
        choices=[
            (24, "24 hours"),
            (72, "3 days"),
            (168, "7 days"),
            (0, "no time at all: it has leaked"),
        ],
        help_text="Meanwhile every message has both signatures, so that nothing fails while the "
        "client switches to the new one.",
    )


class LocalDateTime(forms.DateTimeInput):
    """The browser's own input for a time."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class RecoverForm(forms.Form):
    """The window of a recovery."""

    since = forms.DateTimeField(
        widget=LocalDateTime, label="From", help_text="In your own time zone."
    )
    until = forms.DateTimeField(
        widget=LocalDateTime, label="To", required=False, help_text="Empty: until now."
    )

    @staticmethod
    def initial_values() -> dict[str, datetime]:
        """Return the initial values: the last day."""
        return {"since": timezone.localtime() - timedelta(days=1)}

    def clean(self) -> dict[str, Any]:
        """Refuse a window that ends before it begins."""
        data = super().clean() or {}
        data["until"] = data.get("until") or timezone.now()
        if data.get("since") and data["since"] >= data["until"]:
            raise forms.ValidationError("The window ends before it begins.")
        return data
