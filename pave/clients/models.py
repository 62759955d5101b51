"""Clients of Pave, their API keys, rate buckets and usage."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from rest_framework_api_key.models import AbstractAPIKey

from pave.core.card_numbers.masking import CARD_REFUSED, holds_card_number, masked


class Client(models.Model):
    """A bank or fintech that sends transactions."""

    client_id = models.CharField(
        "client id",
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9][A-Za-z0-9._:-]*\Z",
                "Use letters, digits and . _ : - and begin with a letter or digit.",
            )
        ],
        help_text="The client's id in the API, such as 1234.",
    )
    name = models.CharField(max_length=200, blank=True, help_text="For display; it may change.")
    contact_email = models.EmailField(
        blank=True,
        default="",
        db_default="",
        help_text="Who is notified by mail when a webhook's URL or secret changes. Empty: nobody.",
    )
    active = models.BooleanField(
        default=True, help_text="If unticked, none of the client's keys is accepted."
    )
    erasing = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="Its erasure has begun: it is not activated again, and gets no key.",
    )
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many HTTP requests it may make a minute, on average. Empty: any number.",
    )
    burst = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many of them at once after a pause. Empty: as many as in a minute.",
    )
    monthly_quota = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="How many transactions it may send in a calendar month (UTC). Empty: any number.",
    )
    share = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="Its share of the heuristic's time while others wait too: 2 gets twice as much "
        "as 1.",
    )
    notes = models.TextField(blank=True, help_text="For staff only.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["client_id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.client_id})" if self.name else self.client_id

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Refuse a new client whose id holds a card number: an id is shown and logged everywhere.

        Raises:
            ValidationError: With what is wrong, by field.
        """
        super().clean_fields(exclude)
        if self._state.adding and holds_card_number(self.client_id):
            raise ValidationError({"client_id": CARD_REFUSED})

    def clean(self) -> None:
        """Mask card numbers in the staff's texts; forms call it through ``full_clean``."""
        self.name = masked(self.name)
        self.notes = masked(self.notes)

    @property
    def is_authenticated(self) -> bool:
        """True: to REST framework, an authenticated client is the signed-in user."""
        return True


class ApiKey(AbstractAPIKey):
    """One of a client's keys. Only its hash is kept; the key is shown once."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="api_keys")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(AbstractAPIKey.Meta):
        abstract = False
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"

    @property
    def audit_id(self) -> str:
        """Its id in the audit trail, since its primary key holds the hash."""
        return self.prefix


class RateBucket(models.Model):
    """A client's rate bucket, stored here if there is no Redis."""

    client = models.OneToOneField(Client, on_delete=models.CASCADE, primary_key=True)
    full_at = models.FloatField(help_text="When it will be full again; seconds since 1970.")

    def __str__(self) -> str:
        return f"bucket of {self.client_id}"


class MonthlyUse(models.Model):
    """How many transactions a client with a quota has sent in a month."""

    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="monthly_uses", db_index=False
    )
    month = models.DateField(help_text="Its first day.")
    used = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-month"]
        constraints = [models.UniqueConstraint(fields=["client", "month"], name="one_use_a_month")]

    def __str__(self) -> str:
        return f"{self.used} in {self.month:%Y-%m}"
