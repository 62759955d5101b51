"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header).

The key is claimed by an INSERT that only one request can make. What the request does and its
response are committed together, so that a crash leaves both or neither: either the response is
replayed, or the claim expires with its lease. Nothing is kept of a refused request: it may be
corrected and sent again with the same key.
"""

import functools
import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from pave.api.body_parsers import Upload
from pave.api.exceptions import Conflict, Unprocessable
from pave.api.models import KEY_LENGTH, IdempotencyKey
from pave.api.prefer_wait import Unfinished
from pave.clients.models import Client

RETENTION = timedelta(hours=24)
# Longer than any request takes: an older claim without a response is that of a dead process.
LEASE = timedelta(minutes=2)
_SWEEP_EVERY = 60
_SWEEP_ROWS = 1_000
# A structured string (RFC 8941), as the draft wants it, or the same without its quotes.
KEY_PATTERN = rf'"(?:[ !#-\[\]-~]|\\["\\]){{1,{KEY_LENGTH}}}"|[!#-+\--\[\]-~]{{1,{KEY_LENGTH}}}'

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim on a key by its first request."""

    pk: int
    token: UUID


class _Superseded(Exception):
    """The claim's lease has ended, and another request has taken it over."""


def idempotent(handler: Handler | None = None, *, check: Handler | None = None) -> Handler:
    """Let a view's handler accept an Idempotency-Key.

    With a key the handler runs in a transaction. Work after the commit and before the response,
    such as waiting for a result, goes into an ``Unfinished`` response.

    Args:
        handler: The view's method.
        check: Called with the view and the request before the transaction, for work that may wait
            for the network; its result is passed to the handler.
    """
    if handler is None:
        return functools.partial(idempotent, check=check)

    @functools.wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        key = key_of(request)
        if key is None:
            if check is not None:
                args = (check(view, request), *args)
            return _finish(handler(view, request, *args, **kwargs))
        client = request.user
        if not isinstance(client, Client):
            raise PermissionDenied("An Idempotency-Key is a client's; use an API key.")
        claimed = claim(
            client=client, key=key, fingerprint=fingerprint_of(request), now=timezone.now()
        )
        if isinstance(claimed, HttpResponse):
            return claimed
        try:
            if check is not None:
                args = (check(view, request), *args)
            response = _committed(claimed, lambda: handler(view, request, *args, **kwargs))
        except _Superseded as error:
            raise _in_flight() from error
        except BaseException:
            release(claimed)
            raise
        if isinstance(response, Unfinished):
            response = response.finish()
            _try_store(claimed, response)
        return response

    handle.takes_key = True  # type: ignore[attr-defined]  # for the API's description
    return handle


def key_of(request: Request) -> str | None:
    """Return the request's key, or None where it has none.

    Raises:
        ValidationError: It is not valid by the draft.
    """
    header = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if header is None:
        return None
    header = header.strip()
    if not re.fullmatch(KEY_PATTERN, header):
        raise ValidationError(
            {
                "Idempotency-Key": f"Must be one string of 1 to {KEY_LENGTH} visible ASCII "
                'characters, in quotes or not, such as "8e03978e-40d5-43dd-bc93-6894a57f9324".'
            }
        )
    return re.sub(r"\\(.)", r"\1", header[1:-1]) if header.startswith('"') else header


def stored_forms(key: str) -> list[str]:
    """Return the stored form of a key, which is a digest; then the forms of earlier releases.

    A key may be a card's number, whose plain digest could be guessed.
    """
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [
        salted_hmac("pave.idempotency", key, secret=secret, algorithm="sha256").hexdigest()
        for secret in secrets
    ]
    # Earlier releases kept keys in clear: the last form can be removed a day after the last of
    # them has been stopped.
    return [*(f"hmac:{digest}" for digest in digests), key]


def fingerprint_of(request: Request) -> str:
    """Return a digest that differs from that of another request with the same key."""
    data = request.data
    body = data.digest if isinstance(data, Upload) else json.dumps(data, sort_keys=True)
    parts = [request.method or "", request.get_full_path(), body]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def claim(*, client: Client, key: str, fingerprint: str, now: datetime) -> Claim | HttpResponse:
    """Claim a key, or return the response that its first request got.

    Raises:
        Conflict: The first request is in progress.
        Unprocessable: The first request was different.
    """
    newest, *older = stored_forms(key)
    token = uuid4()
    new_values: dict[str, Any] = {
        "fingerprint": fingerprint,
        "token": token,
        "lease_expires_at": now + LEASE,
        "status_code": None,
        "headers": {},
        "body": None,
        "created_at": now,
        "expires_at": now + RETENTION,
    }
    IdempotencyKey.objects.bulk_create(
        [IdempotencyKey(client=client, key=newest, **new_values)], ignore_conflicts=True
    )
    rows = {
        row.key: row
        for row in IdempotencyKey.objects.filter(client=client, key__in=[newest, *older])
    }
    row = rows.get(newest)
    for form in older:
        if form in rows and _is_used(rows[form], now):
            if row is not None and row.token == token:
                release(Claim(row.pk, token))
            row = rows[form]
    if row is None:  # released meanwhile; a retry will find it free
        raise _in_flight()
    if row.token == token:
        return Claim(row.pk, token)
    if row.expires_at > now:
        if row.fingerprint != fingerprint:
            raise Unprocessable("This Idempotency-Key was used for another request. Use a new key.")
        if row.lease_expires_at is not None and row.lease_expires_at > now:
            raise _in_flight()
        if row.body is not None:
            return _replay(row)
    # Expired, or left by a process that died: the first to update it has the claim.
    if IdempotencyKey.objects.filter(pk=row.pk, token=row.token).update(**new_values):
        return Claim(row.pk, token)
    raise _in_flight()


def _is_used(row: IdempotencyKey, now: datetime) -> bool:
    """Return whether a key has its response, or its request is in progress."""
    in_flight = row.lease_expires_at is not None and row.lease_expires_at > now
    return row.expires_at > now and (in_flight or row.body is not None)


def release(claimed: Claim) -> None:
    """Release a key whose request was refused.

    One that has a response stays: it was committed, although its process did not learn of it.
    """
    IdempotencyKey.objects.filter(pk=claimed.pk, token=claimed.token, body=None).delete()


def sweep(*, now: datetime | None = None) -> None:
    """Remove expired keys, once in a while and a batch at a time."""
    if not cache.add("idempotency:swept", "yes", _SWEEP_EVERY):
        return
    expired = IdempotencyKey.objects.filter(expires_at__lte=now or timezone.now())
    IdempotencyKey.objects.filter(
        pk__in=list(expired.order_by("expires_at").values_list("pk", flat=True)[:_SWEEP_ROWS])
    ).delete()


def _committed(claimed: Claim, run: Callable[[], Response]) -> Response:
    """Run the handler and store its response, in one transaction."""
    with transaction.atomic():
        response = run()
        _store(claimed, response, final=not isinstance(response, Unfinished))
        return response


def _finish(response: Any) -> Any:
    return response.finish() if isinstance(response, Unfinished) else response


def _store(claimed: Claim, response: Response, *, final: bool) -> None:
    """Store a response; one that is not final is replayed only if its process dies."""
    fields: dict[str, Any] = {
        "status_code": response.status_code,
        "headers": {
            name: value for name, value in response.headers.items() if name != "Content-Type"
        },
        "body": _cipher().encrypt(JSONRenderer().render(response.data)),
    }
    if final:
        fields["lease_expires_at"] = None
    if not IdempotencyKey.objects.filter(pk=claimed.pk, token=claimed.token).update(**fields):
        raise _Superseded


def _try_store(claimed: Claim, response: Response) -> None:
    try:
        _store(claimed, response, final=True)
    except _Superseded:
        pass  # the first response stays stored


def rotate_encryption() -> int:
    """Encrypt the stored responses with the newest key; return how many there were.

    One that no key decrypts stays as it is, until it expires.
    """
    count = 0
    stored = IdempotencyKey.objects.exclude(body=None).order_by("pk")
    for pk, body in stored.values_list("pk", "body").iterator(_SWEEP_ROWS):
        with suppress(InvalidToken):
            encrypted = _cipher().rotate(bytes(body or b""))
            # One that was stored meanwhile has the newest key already.
            count += IdempotencyKey.objects.filter(pk=pk, body=body).update(body=encrypted)
    return count


def _replay(row: IdempotencyKey) -> HttpResponse:
    try:
        body = _cipher().decrypt(bytes(row.body or b""))
    except InvalidToken as error:
        raise Conflict(
            "This Idempotency-Key was used, and its first answer can no longer be read. "
            "Check its outcome before you send it with a new key."
        ) from error
    return HttpResponse(
        body,
        status=row.status_code,
        content_type=JSONRenderer.media_type,
        headers={**row.headers, "Idempotency-Replayed": "true"},
    )


def _in_flight() -> Conflict:
    return Conflict("The first request with this Idempotency-Key is in progress. Try again soon.")


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])
