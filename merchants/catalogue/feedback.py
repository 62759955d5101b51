"""Feedback: corrections of answers, on which staff decide."""

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from merchants.matching.booking.persons import mentions_person
from merchants.matching.heuristic import parse_transaction
from merchants.matching.text.normalize import words_of
from merchants.models import Alias, Feedback, Merchant, NormalizationRequest, Rule
from pave.clients.models import Client
from pave.core.card_numbers.masking import masked
from pave.core.database import advisory_locks

# A shorter alias would match too many texts: such a descriptor becomes an exact rule instead.
SHORTEST_ALIAS = 5


class NotOpen(Exception):
    """This feedback has been decided on already."""


class ClientInactive(Exception):
    """Its client is no longer active, and may be about to be erased with its feedback."""


class MerchantGone(Exception):
    """The merchant was deactivated or deleted since it was chosen."""


class NamesPerson(ValueError):
    """The words for the catalogue may contain a person's name."""


def give(
    *, request: NormalizationRequest, merchant: str, comment: str = "", by: str = ""
) -> Feedback:
    """Add a correction to the review list, or replace the one that this caller has there.

    Args:
        request: The request whose answer is wrong.
        merchant: The right name.
        comment: Anything else.
        by: The staff member who gives it; empty for the client.

    Raises:
        NormalizationRequest.DoesNotExist: It is being removed.
    """
    said = {"merchant_name": masked(merchant), "comment": masked(comment)}
    with transaction.atomic():
        # Those who correct one answer do so one after the other.
        NormalizationRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
        open_ones = Feedback.objects.filter(
            request=request, given_by=by, status=Feedback.Status.OPEN
        )
        # Another row, so that nobody decides on a correction that they have not seen.
        for replaced in open_ones.select_for_update():
            replaced.delete()
        return Feedback.objects.create(request=request, given_by=by, **said)


def accept(
    *,
    feedback: Feedback,
    merchant: Merchant | None,
    by: str,
    new_name: str = "",
    text: str = "",
    allow_person_name: bool = False,
) -> Alias | Rule:
    """Add an alias or a rule to the draft that leads such descriptors to the right merchant.

    It takes effect once the draft is published, for earlier requests too.

    Args:
        feedback: The correction.
        merchant: The right merchant; None for a new one, or for no merchant in such a text.
        by: The staff member who decides.
        new_name: The name of a new merchant, which is hidden from clients until published.
        text: The descriptor's words for the merchant, without those of the transaction itself.
            Empty: the cleaned descriptor.
        allow_person_name: Whether to accept words that look like a person's name.

    Raises:
        NotOpen: It has been decided on already.
        ClientInactive: Its client is not active.
        MerchantGone: The merchant is no longer active, and was merged into none.
        NamesPerson: The name or the words look like a person's, which is not allowed.
    """
    new_name, text = masked(new_name), masked(text) or descriptor_of(feedback)
    if not allow_person_name and (may_name_person(new_name) or may_name_person(text)):
        raise NamesPerson
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        if not Client.objects.filter(requests=feedback.request_id, active=True).exists():
            raise ClientInactive
        if merchant is not None:
            merchant = _current_merchant(merchant)
        if new_name:
            merchant = Merchant.objects.create(name=new_name, published=False)
        _review(feedback, Feedback.Status.ACCEPTED, merchant, by)
        if merchant is None or len("".join(words_of(text))) < SHORTEST_ALIAS:
            # Only an active rule without conditions is equivalent.
            existing_rules = Rule.objects.filter(
                kind=Rule.Kind.EXACT, pattern=text[:300], merchant=merchant, active=True,
                mcc="", country="", intermediary="",
            )  # fmt: skip
            note = f"From feedback of {feedback.created_at:%Y-%m-%d}"
            return existing_rules.first() or Rule.objects.create(
                kind=Rule.Kind.EXACT, pattern=text[:300], merchant=merchant, note=note
            )
        alias, _ = Alias.objects.get_or_create(
            merchant=merchant, text=text[:200], defaults={"published": False}
        )
        return alias


def reject(*, feedback: Feedback, by: str) -> None:
    """Reject a correction: the answer stays.

    Raises:
        NotOpen: It has been decided on already.
    """
    _review(feedback, Feedback.Status.REJECTED, None, by)


def may_name_person(text: str) -> bool:
    """Return whether words may contain a person's name, so that staff must confirm them."""
    return mentions_person(words_of(text))


def merchants_only_from(*, client: Client) -> QuerySet[Merchant]:
    """Return the unpublished merchants that only one client's feedback has created."""
    return Merchant.objects.filter(
        Exists(Feedback.objects.filter(merchant=OuterRef("pk"), request__client=client)),
        ~Exists(Feedback.objects.filter(merchant=OuterRef("pk")).exclude(request__client=client)),
        published=False,
        merged=None,
    )


def likely_merchant(feedback: Feedback) -> Merchant | None:
    """Return the active merchant of the given name, as a suggestion for staff."""
    return Merchant.objects.filter(active=True, name__iexact=feedback.merchant_name).first()


def _current_merchant(merchant: Merchant) -> Merchant:
    """Return the merchant or, if it has just been merged, its successor."""
    current = Merchant.objects.filter(pk=merchant.pk).select_related("merged_into").first()
    current = current.merged_into if current and current.merged_into else current
    if current is None or not current.active:
        raise MerchantGone
    return current


def _review(feedback: Feedback, status: str, merchant: Merchant | None, by: str) -> None:
    if not Feedback.objects.filter(pk=feedback.pk, status=Feedback.Status.OPEN).update(
        status=status, merchant=merchant, reviewed_by=by, reviewed_at=timezone.now()
    ):
        raise NotOpen
    feedback.refresh_from_db()


def descriptor_of(feedback: Feedback) -> str:
    """Return the request's cleaned descriptor, as rules are matched with it."""
    request = feedback.request
    return parse_transaction(request.as_transaction()).text or request.description
