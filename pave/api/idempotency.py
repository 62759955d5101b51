"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header).

A lock on the key is held until the transaction ends in which its request is handled and the
response stored. So a crash leaves all or nothing, and no claim that would have to expire: a repeat
gets the response, or is itself the first. Nothing is kept of a refused request: it may be corrected
and sent again with the same key.
"""

import functools
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import PermissionDenied
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from pave.api.body_parsers import Upload
from pave.api.exceptions import Conflict, InProgress, ParameterError, Unprocessable
from pave.api.models import KEY_LENGTH, IdempotencyKey
from pave.api.prefer_wait import Unfinished
from pave.clients.models import Client
from pave.core.database import advisory_locks

RETENTION = timedelta(hours=24)
_SWEEP_EVERY = 60
_SWEEP_ROWS = 1_000
# A structured string (RFC 8941), as the draft wants it, or the same without its quotes.
KEY_PATTERN = rf'"(?:[ !#-\[\]-~]|\\["\\]){{1,{KEY_LENGTH}}}"|[!#-+\--\[\]-~]{{1,{KEY_LENGTH}}}'

Handler = Callable[..., Any]


def idempotent(handler: Handler | None = None, *, check: Handler | None = None) -> Handler:
    """Let a view's handler accept an Idempotency-Key.

    With a key the handler runs in a transaction. Work after the commit and before the response,
    such as waiting for a result, goes into an ``Unfinished`` response.

    Args:
        handler: The view's method.
        check: Called with the view and the request before the transaction, for work that may wait
            for the network; its result is passed to the handler. A repeat needs none.
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
        fingerprints = fingerprints_of(request)
        used = find_used(client=client, key=key, fingerprints=fingerprints, now=timezone.now())
        if used is not None:
            return _replay(used)
        if check is not None:
            args = (check(view, request), *args)
        with transaction.atomic():
            _lock(client, key)
            used = find_used(client=client, key=key, fingerprints=fingerprints, now=timezone.now())
            if used is not None:
                return _replay(used)
            response = handler(view, request, *args, **kwargs)
            _store(client, key, fingerprints[0], response)
        if isinstance(response, Unfinished):
            # Until then a repeat gets the response as it was without its result.
            response = response.finish()
            stored = IdempotencyKey.objects.filter(client=client, key=stored_forms(key)[0])
            stored.update(**_fields_of(response))
        return response

    handle.takes_key = True  # type: ignore[attr-defined]  # for the API's description
    return handle


def key_of(request: Request) -> str | None:
    """Return the request's key, or None where it has none.

    Raises:
        ParameterError: It is not valid by the draft.
    """
    header = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if header is None:
        return None
    header = header.strip()
    if not re.fullmatch(KEY_PATTERN, header):
        raise ParameterError(
            {
                "Idempotency-Key": f"Must be one string of 1 to {KEY_LENGTH} visible ASCII "
                'characters, such as "8e03978e-40d5-43dd-bc93-6894a57f9324"; in quotes if it has a '
                "comma, quote or backslash (the last two with a backslash before them)."
            }
        )
    return re.sub(r"\\(.)", r"\1", header[1:-1]) if header.startswith('"') else header


def stored_forms(key: str) -> list[str]:
    """Return the stored form of a key, which is a digest; then the forms of earlier releases.

    A key may be a card's number, whose plain digest could be guessed.
    """
    # Earlier releases kept keys in clear: the last form can be removed a day after the last of
    # them has been stopped.
    return [*(f"hmac:{digest}" for digest in _hmacs("pave.idempotency", key)), key]


def fingerprints_of(request: Request) -> list[str]:
    """Return the digest that is stored of a request: another with the same key has another.

    What is masked of a body could be guessed from a plain digest. Those by older secret keys and of
    earlier releases follow, as in ``stored_forms``.
    """
    data = request.data
    body = data.digest if isinstance(data, Upload) else json.dumps(data, sort_keys=True)
    parts = [request.method or "", request.get_full_path(), body]
    plain = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return [*_hmacs("pave.idempotency.fingerprint", plain), plain]


def _hmacs(salt: str, value: str) -> list[str]:
    """Return a value's digests by the secret keys, the newest first."""
    return [
        salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


def find_used(
    *, client: Client, key: str, fingerprints: Sequence[str], now: datetime
) -> IdempotencyKey | None:
    """Return a key's row if the key has been used, and its response is still kept.

    Raises:
        InProgress: A process of an earlier release, which takes no lock, is using it.
        Unprocessable: The first request was different.
    """
    rows = IdempotencyKey.objects.filter(
        client=client, key__in=stored_forms(key), expires_at__gt=now
    )
    for row in rows:
        in_progress = row.lease_expires_at is not None and row.lease_expires_at > now
        if row.body is None and not in_progress:
            continue  # its process has died
        if row.fingerprint not in fingerprints:
            raise Unprocessable("This Idempotency-Key was used for another request. Use a new key.")
        if in_progress:
            raise InProgress
        return row
    return None


def _lock(client: Client, key: str) -> None:
    """Keep other requests from using a key until the open transaction ends."""
    # With SECRET_KEY, so that nobody can choose a key that shares the lock of another client's.
    digest = salted_hmac("idempotency key", f"{client.pk} {key}", algorithm="sha256").digest()
    if advisory_locks.is_taken_for(advisory_locks.Lock.USING_KEY, int.from_bytes(digest[:4])):
        raise InProgress


def sweep(*, now: datetime | None = None) -> None:
    """Remove expired keys, once in a while and a batch at a time."""
    if not cache.add("idempotency:swept", "yes", _SWEEP_EVERY):
        return
    expired = IdempotencyKey.objects.filter(expires_at__lte=now or timezone.now())
    IdempotencyKey.objects.filter(
        pk__in=list(expired.order_by("expires_at").values_list("pk", flat=True)[:_SWEEP_ROWS])
    ).delete()


def _finish(response: Any) -> Any:
    return response.finish() if isinstance(response, Unfinished) else response


def _store(client: Client, key: str, fingerprint: str, response: Response) -> None:
    now = timezone.now()
    values = {
        **_fields_of(response),
        "fingerprint": fingerprint,
        "token": uuid4(),
        "lease_expires_at": None,
        "created_at": now,
        "expires_at": now + RETENTION,
    }
    # An expired row of the key is replaced.
    IdempotencyKey.objects.bulk_create(
        [IdempotencyKey(client=client, key=stored_forms(key)[0], **values)],
        update_conflicts=True,
        unique_fields=["client", "key"],
        update_fields=list(values),
    )


def _fields_of(response: Response) -> dict[str, Any]:
    return {
        "status_code": response.status_code,
        "headers": {
            name: value for name, value in response.headers.items() if name != "Content-Type"
        },
        "body": _cipher().encrypt(JSONRenderer().render(response.data)),
    }


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


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])
