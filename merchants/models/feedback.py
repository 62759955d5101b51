"""Feedback: corrections of answers by clients and staff."""

from django.db import models
from django.db.models import Q

from merchants.models.catalogue import Merchant
from merchants.models.request import NormalizationRequest
from pave.core.ids import new_id


class Feedback(models.Model):
    """A correction of an answer, and the staff's decision on it."""

    class Status(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(
        NormalizationRequest, on_delete=models.CASCADE, related_name="feedback"
    )
    merchant_name = models.CharField("right name", max_length=200)
    comment = models.CharField(max_length=1000, blank=True)
    given_by = models.CharField(
        max_length=150, blank=True, help_text="The staff member who gave it; empty for the client."
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    merchant = models.ForeignKey(
        Merchant,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="feedback",
        help_text="The merchant for which it was accepted.",
    )
    reviewed_by = models.CharField(max_length=150, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "feedback"
        permissions = [("review_feedback", "Can accept and reject feedback")]
        indexes = [
            # The review list.
            models.Index(fields=["-id"], name="feedback_open", condition=Q(status="open"))
        ]

    def __str__(self) -> str:
        return f"{self.request} is {self.merchant_name}"
