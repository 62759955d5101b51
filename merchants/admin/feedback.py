"""Staff's review of corrections."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from merchants.admin.merchants import UNPUBLISHED, merchant_field
from merchants.catalogue import feedback as corrections
from merchants.matching.types import NO_NAME
from merchants.models import Feedback
from merchants.requests.events import describe
from pave.core.card_numbers.masking import CARD_REFUSED, holds_card_number
from pave.staff.buttons import Refused, Result, button
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago, pill

REVIEW = "merchants.review_feedback"
PERSON = (
    "This looks like the name of a person. Take it out, or say below that it is the merchant's."
)


class AcceptForm(forms.Form):
    """Which merchant such descriptors belong to."""

    merchant = merchant_field(
        required=False, label="A merchant of the catalogue", help_text="Type to find it."
    )
    new_name = forms.CharField(
        max_length=200,
        required=False,
        label="Or a new merchant of this name",
        help_text="Take the names of people out: all clients see it once the draft is published.",
    )
    nothing = forms.BooleanField(required=False, label="Or such a text names no merchant (“n/a”)")
    text = forms.CharField(
        max_length=200,
        label="The words that name it",
        help_text="They become part of the catalogue, for all clients: take out names of "
        "people and whatever else belongs to this transaction alone.",
    )
    keep = forms.BooleanField(
        required=False,
        label="Keep words that look like a person's name",
        help_text="Only if they are a shop's name, such as “Paul Smith”.",
    )

    def clean(self) -> dict[str, Any]:
        """Refuse unless exactly one of the three is given."""
        data = super().clean() or {}
        given = [bool(data.get(name)) for name in ("merchant", "new_name", "nothing")]
        if sum(given) != 1:
            raise forms.ValidationError("Give exactly one of the three.")
        for name in ("new_name", "text"):
            if holds_card_number(data.get(name) or ""):
                self.add_error(name, CARD_REFUSED)
            elif not data.get("keep") and corrections.may_name_person(data.get(name) or ""):
                self.add_error(name, PERSON)
        return data


def is_open(feedback: Feedback) -> bool:
    """Return whether it is still open."""
    return feedback.status == Feedback.Status.OPEN


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    navigation_place = 2
    purpose = "Corrections of answers. Accepting one writes an alias or a rule into the draft."
    list_display = ("descriptor", "merchant_name", "state", "by", "reviewed_by", "made")
    list_filter = ("status",)
    list_select_related = ("request__client", "merchant")
    search_fields = ("merchant_name",)
    search_help_text = "Part of the suggested name."
    show_form = False
    shows_transaction = True
    panels_above = ("merchants/feedback_panels.html",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        related = ("request__client", "request__resolution", "merchant")
        return super().get_queryset(request).select_related(*related)

    def status_of(self, obj: Feedback) -> SafeString:
        return pill(obj.status)

    def panel_context(self, request: HttpRequest, obj: Feedback) -> dict[str, Any]:
        resolution = obj.request.resolution
        described = describe(obj.request, resolution)
        return {
            "feedback": obj,
            "taken": obj.request,
            "answer": described["merchant"] or {},
            "match": described["match"] or {},
            "likely": corrections.likely_merchant(obj) if is_open(obj) else None,
        }

    def button_form(self, button: Any, obj: Feedback) -> dict[str, Any]:
        if button.name != "accept":
            return {}
        likely = corrections.likely_merchant(obj)
        nothing = obj.merchant_name.casefold() == NO_NAME
        return {
            "initial": {
                "merchant": likely,
                "new_name": "" if likely or nothing else obj.merchant_name,
                "nothing": nothing,
                "text": corrections.descriptor_of(obj)[:200],
            }
        }

    @admin.display(description="descriptor")
    def descriptor(self, feedback: Feedback) -> str:
        return feedback.request.description

    @admin.display(description="status")
    def state(self, feedback: Feedback) -> SafeString:
        return pill(feedback.status)

    @admin.display(description="from")
    def by(self, feedback: Feedback) -> str:
        return feedback.given_by or str(feedback.request.client)

    @admin.display(description="given")
    def made(self, feedback: Feedback) -> str:
        return ago(feedback.created_at)

    @button("Accept", permission=REVIEW, form=AcceptForm, look="primary", offered=is_open)
    def accept(self, request: HttpRequest, feedback: Feedback, data: dict) -> Result:
        try:
            made = corrections.accept(
                feedback=feedback,
                merchant=data["merchant"],
                by=request.user.get_username(),
                new_name=data["new_name"],
                text=data["text"],
                allow_person_name=data["keep"],
            )
        except corrections.NotOpen as error:
            raise Refused("It has been decided on already.") from error
        except corrections.ClientInactive as error:
            raise Refused("Its client is not active any more.") from error
        except corrections.MerchantGone as error:
            raise Refused("That merchant has just been hidden. Choose again.") from error
        except corrections.NamesPerson as error:
            raise Refused(PERSON) from error
        return f"Accepted: {made._meta.verbose_name} “{made}” is in the draft. {UNPUBLISHED}"

    @button(
        "Reject",
        permission=REVIEW,
        confirmation="Leave the answer as it is?",
        offered=is_open,
        bulk="Reject: leave the answers as they are",
    )
    def reject(self, request: HttpRequest, feedback: Feedback, data: dict) -> Result:
        try:
            corrections.reject(feedback=feedback, by=request.user.get_username())
        except corrections.NotOpen as error:
            raise Refused("It has been decided on already.") from error
        return "Rejected; the answer stays."
