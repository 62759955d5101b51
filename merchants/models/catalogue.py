"""Merchants with aliases and rules, and the rulesets published from them."""

import re
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, Value

from merchants.matching.categories import choices
from merchants.matching.rules import InvalidRegex, compile_regex
from merchants.matching.text.uris import as_uri
from pave.core.card_numbers.masking import CARD_REFUSED, holds_card_number, masked
from pave.core.ids import new_id


class Merchant(models.Model):
    """A merchant of the catalogue."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    website = models.CharField(max_length=300, blank=True)
    wikidata = models.CharField(
        max_length=20, blank=True, help_text="Its item in Wikidata, such as Q37158."
    )
    mccs = models.JSONField(
        "MCCs", default=list, blank=True, help_text="Merchant category codes (ISO 18245)."
    )
    countries = models.JSONField(
        default=list, blank=True, help_text="Where it trades (ISO 3166 alpha-2). Empty: anywhere."
    )
    category = models.CharField(
        max_length=100,
        blank=True,
        choices=choices,
        help_text="Empty: the category of its first MCC.",
    )
    websites = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text='Web sites of single countries, where they differ: {"DE": "https://…"}.',
    )
    logo_url = models.CharField("logo URL", max_length=500, blank=True)
    active = models.BooleanField(
        default=True, help_text="If unticked, no answer names it any more."
    )
    published = models.BooleanField(
        default=True,
        db_default=True,
        editable=False,
        help_text="Whether clients see it; one from feedback is hidden until a ruleset holds it.",
    )
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="merged",
        help_text="Its successor, which took over its aliases and rules.",
    )
    source_key = models.CharField(
        max_length=120,
        unique=True,
        null=True,
        blank=True,
        editable=False,
        help_text="Its key in the imported catalogue; empty if staff created it.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        permissions = [("merge_merchant", "Can merge merchants")]
        indexes = [models.Index(fields=["name"], name="merchant_name")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Validate the lists of codes and the web sites, and turn addresses into URIs.

        The matcher depends on the former, and clients on the latter.

        Raises:
            ValidationError: With what is wrong, by field.
        """
        errors = {}
        if holds_card_number(self.name):
            errors["name"] = CARD_REFUSED
        if not _are_codes(self.mccs, r"[0-9]{4}"):
            errors["mccs"] = 'Must be a list of codes of four digits: ["5814"].'
        if not _are_codes(self.countries, r"[A-Z]{2}"):
            errors["countries"] = 'Must be a list of codes of two capitals: ["DE", "FR"].'
        sites = self.websites
        if not isinstance(sites, dict) or not (
            _are_codes(list(sites), r"[A-Z]{2}")
            and _are_codes(list(sites.values()), r"https?://\S+")
        ):
            errors["websites"] = 'Must be web sites by country: {"DE": "https://www.example.de"}.'
        if errors:
            raise ValidationError(errors)
        self.website, self.logo_url = as_uri(self.website), as_uri(self.logo_url)
        self.websites = {country: as_uri(site) for country, site in sites.items()}


def _are_codes(values: object, pattern: str) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, str) and re.fullmatch(pattern, value) for value in values
    )


class Alias(models.Model):
    """Another spelling of a merchant in descriptors."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="aliases")
    text = models.CharField(max_length=200)
    published = models.BooleanField(
        default=True,
        db_default=True,
        help_text="Whether clients see it. Unticked if it is from a client's transaction.",
    )

    class Meta:
        ordering = ["text"]
        verbose_name_plural = "aliases"
        constraints = [
            models.UniqueConstraint(fields=["merchant", "text"], name="one_alias_a_spelling")
        ]
        indexes = [models.Index(fields=["text"], name="alias_text")]

    def __str__(self) -> str:
        return self.text

    def clean(self) -> None:
        """Refuse a card number, since all clients see aliases.

        Raises:
            ValidationError: With what is wrong, by field.
        """
        if holds_card_number(self.text):
            raise ValidationError({"text": CARD_REFUSED})


class Rule(models.Model):
    """A decision by staff on descriptors, in effect once it is published."""

    class Kind(models.TextChoices):
        EXACT = "exact", "is exactly"
        PREFIX = "prefix", "begins with"
        CONTAINS = "contains", "contains"
        REGEX = "regex", "matches the expression"

    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.EXACT)
    pattern = models.CharField(
        max_length=300,
        help_text="Compared with the cleaned descriptor. Case, accents and punctuation do not "
        "matter, except in an expression (RE2).",
    )
    mcc = models.CharField("MCC", max_length=4, blank=True, help_text="Only with this MCC.")
    country = models.CharField(max_length=2, blank=True, help_text="Only in this country.")
    intermediary = models.CharField(
        max_length=60, blank=True, help_text="Only after this processor, such as Square."
    )
    priority = models.SmallIntegerField(default=0, help_text="Higher ones are tried first.")
    merchant = models.ForeignKey(
        Merchant,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="rules",
        help_text='Empty: such a text names no merchant ("n/a").',
    )
    active = models.BooleanField(default=True)
    note = models.CharField(max_length=300, blank=True, help_text="The reason for it, for staff.")
    hits = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Requests that it has answered."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-priority", "kind", "pattern"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pattern}"

    def clean(self) -> None:
        """Mask card numbers in the note; refuse a pattern with one, and an invalid pattern.

        Raises:
            ValidationError: With what is wrong, by field.
        """
        self.note = masked(self.note)
        if self.active and self.merchant and not self.merchant.active:
            successor = self.merchant.merged_into
            raise ValidationError(
                {
                    "merchant": f"{self.merchant} is not active"
                    + (f": it was merged into {successor}." if successor else ".")
                }
            )
        if holds_card_number(self.pattern):
            raise ValidationError({"pattern": CARD_REFUSED})
        if self.kind == self.Kind.REGEX:
            try:
                compile_regex(self.pattern)
            except InvalidRegex as error:
                raise ValidationError({"pattern": f"Not an expression for RE2: {error}"}) from error


class RulesetManager(models.Manager["Ruleset"]):
    """Defers the large content until it is accessed."""

    def get_queryset(self) -> models.QuerySet["Ruleset"]:
        """Return rulesets without their content."""
        return super().get_queryset().defer("content", "changed")


class Ruleset(models.Model):
    """A published version of the catalogue and its rules; the newest is in use."""

    number = models.AutoField(primary_key=True)
    note = models.CharField(max_length=300, blank=True)
    content = models.BinaryField(
        help_text="The merchants and rules as they were when it was published."
    )
    changed = models.BinaryField(
        null=True,
        help_text="Those of them, old and new, that differ from the ruleset before.",
    )
    restores = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text="The earlier ruleset that it restores.",
    )
    published_by = models.CharField(max_length=150, blank=True)
    published_at = models.DateTimeField(auto_now_add=True)

    objects = RulesetManager()

    class Meta:
        ordering = ["-number"]
        # Also for access through foreign keys.
        base_manager_name = "objects"
        permissions = [("publish_ruleset", "Can publish and roll back rulesets")]

    def __str__(self) -> str:
        return f"ruleset {self.number}"


class Revision(models.Model):
    """The revision of earlier answers after a ruleset was published, with its progress."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"

    # Of one that has ended, which keeps no ids of requests and clients: these may be erased.
    NO_PROGRESS: ClassVar[dict[str, Any]] = {
        "position": None,
        "clients": None,
        "locked_clients": [],
    }

    ruleset = models.OneToOneField(Ruleset, on_delete=models.CASCADE, related_name="revision")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    since = models.DateTimeField(help_text="Older requests are not revised.")
    position = models.UUIDField(
        null=True, blank=True, help_text="The oldest request examined so far."
    )
    clients = models.JSONField(
        null=True,
        blank=True,
        help_text="Whose requests are examined once more (primary keys); null while all are.",
    )
    locked_clients = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        help_text="Of whom somebody kept rows locked: their requests are examined once more.",
    )
    total = models.PositiveBigIntegerField(default=0)  # or about so many
    examined = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], name="revision_running", condition=Q(status="running"))
        ]

    def __str__(self) -> str:
        return f"revision for {self.ruleset}"
