"""Corrections: somebody says that an answer is wrong, and staff decide."""

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from merchants.matching.booking.persons import mentions_person
from merchants.matching.heuristic import parse_transaction
from merchants.matching.text.normalize import words_of
from merchants.models import Alias, Feedback, Merchant, NormalizationRequest, Rule
from pave.clients.models import Client
from pave.core import advisory_locks
from pave.core.card_masking import masked

# An alias this short stands in too many texts; for such a descriptor a rule is written, which
# compares the whole of it.
SHORTEST_ALIAS = 5


class NotOpen(Exception):
    """Somebody has decided on this feedback already."""


class ClientInactive(Exception):
    """Its client is not active any more, and may be about to be erased with all that it said."""


class MerchantGone(Exception):
    """The merchant has been hidden or has gone since it was chosen."""


class NamesPerson(ValueError):
    """The words that would become the catalogue's may hold a person's name."""


def give(
    *, request: NormalizationRequest, merchant: str, comment: str = "", by: str = ""
) -> Feedback:
    """Put a correction on the review list.

    Args:
        request: The request whose answer is wrong.
        merchant: The right name.
        comment: What else there is to say.
        by: The staff member who says so; empty for the client.
    """
    return Feedback.objects.create(
        request=request, merchant_name=masked(merchant), comment=masked(comment), given_by=by
    )


def accept(
    *,
    feedback: Feedback,
    merchant: Merchant | None,
    by: str,
    new_name: str = "",
    text: str = "",
    keep: bool = False,
) -> Alias | Rule:
    """Write what makes such descriptors lead to the right merchant into the draft.

    It counts once the draft is published, and then reaches earlier requests too.

    Args:
        feedback: The correction.
        merchant: The right merchant; None: there is no merchant in such a text, or a new one.
        by: The staff member who decides.
        new_name: What a new merchant is called. No client sees it before it is published.
        text: The words of the descriptor that stand for the merchant, without those that are the
            transaction's own. Empty: all that was read from it.
        keep: Whether the staff member keeps words that look like a person's name.

    Raises:
        NotOpen: It has been decided on before.
        ClientInactive: Its client is not active.
        MerchantGone: The merchant is not active any more, and was merged into none.
        NamesPerson: The name or the words look like a person's, and are not to be kept.
    """
    new_name, text = masked(new_name), masked(text) or descriptor_of(feedback)
    if not keep and (names_person(new_name) or names_person(text)):
        raise NamesPerson
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        if not Client.objects.filter(requests=feedback.request_id, active=True).exists():
            raise ClientInactive
        if merchant is not None:
            merchant = _as_it_is_now(merchant)
        if new_name:
            merchant = Merchant.objects.create(name=new_name, published=False)
        _review(feedback, Feedback.Status.ACCEPTED, merchant, by)
        if merchant is None or len("".join(words_of(text))) < SHORTEST_ALIAS:
            # Only a rule without conditions, and one that counts, says the same already.
            same = Rule.objects.filter(
                kind=Rule.Kind.EXACT, pattern=text[:300], merchant=merchant, active=True,
                mcc="", country="", intermediary="",
            )  # fmt: skip
            note = f"From feedback of {feedback.created_at:%Y-%m-%d}"
            return same.first() or Rule.objects.create(
                kind=Rule.Kind.EXACT, pattern=text[:300], merchant=merchant, note=note
            )
        alias, _ = Alias.objects.get_or_create(
            merchant=merchant, text=text[:200], defaults={"published": False}
        )
        return alias


def reject(*, feedback: Feedback, by: str) -> None:
    """Leave the answer as it is.

    Raises:
        NotOpen: It has been decided on before.
    """
    _review(feedback, Feedback.Status.REJECTED, None, by)


def names_person(text: str) -> bool:
    """Return whether somebody has to look at words before they become the catalogue's."""
    return mentions_person(words_of(text))


def proposed(*, of: Client) -> QuerySet[Merchant]:
    """Return the merchants that only a client's feedback has made, and that nobody has seen yet."""
    return Merchant.objects.filter(
        Exists(Feedback.objects.filter(merchant=OuterRef("pk"), request__client=of)),
        ~Exists(Feedback.objects.filter(merchant=OuterRef("pk")).exclude(request__client=of)),
        published=False,
        merged=None,
    )


def likely_merchant(feedback: Feedback) -> Merchant | None:
    """Return the active merchant that bears the name given, for staff to begin with."""
    return Merchant.objects.filter(active=True, name__iexact=feedback.merchant_name).first()


def _as_it_is_now(merchant: Merchant) -> Merchant:
    """Return the merchant or, if somebody has just merged it, its successor."""
    now = Merchant.objects.filter(pk=merchant.pk).select_related("merged_into").first()
    now = now.merged_into if now and now.merged_into else now
    if now is None or not now.active:
        raise MerchantGone
    return now


def _review(feedback: Feedback, status: str, merchant: Merchant | None, by: str) -> None:
    if not Feedback.objects.filter(pk=feedback.pk, status=Feedback.Status.OPEN).update(
        status=status, merchant=merchant, reviewed_by=by, reviewed_at=timezone.now()
    ):
        raise NotOpen
    feedback.refresh_from_db()


def descriptor_of(feedback: Feedback) -> str:
    """Return the cleaned descriptor that was answered wrongly, as a rule is asked for it."""
    request = feedback.request
    return parse_transaction(request.as_transaction()).text or request.description
