"""Limits on logins: hashing a password costs a third of a second of CPU, for unknown names too.

axes locks a name for an address after a few attempts, which does not limit those who try many
names. So a process hashes one password at a time, a few requests wait for that, and an address has
a limited number of attempts per minute.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import User
from django.core.cache import cache
from django.forms import TextInput
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from pave.core import clock
from pave.core.callers import network_of
from pave.staff import audit

ATTEMPTS_PER_MINUTE = 20
# Concurrent logins in a process: one whose password is hashed, and those that wait for that. Each
# holds a thread of the web server (pave/gunicorn.py).
MAX_CONCURRENT = 3
# Of an account, in a quarter of an hour.
MAX_ON_RECORD = 100
# How long they wait, in seconds: for two others, on a busy machine.
WAIT_SECONDS = 5.0

REFUSED = "was refused a login"
_LAST = "More of this account's are not recorded for a while."
_BUSY = "Others are logging in. Try again in a moment."

_slots = threading.Semaphore(MAX_CONCURRENT)
_hashing = threading.Lock()


class LoginForm(AdminAuthenticationForm):
    """Django's, without names that no user has: axes has no room for any longer ones."""

    username = UsernameField(
        max_length=User._meta.get_field("username").max_length,
        widget=TextInput(attrs={"autofocus": True}),
    )


class LoginLimited(Exception):
    """No login is possible now; the message is a sentence for the user.

    Args:
        text: The sentence.
        pause: Seconds after which to try again.
    """

    def __init__(self, text: str, pause: int) -> None:
        super().__init__(text)
        self.pause = pause


@contextmanager
def attempt_slot(address: str) -> Iterator[None]:
    """Hold the process's slot for hashing a password during the block.

    Raises:
        LoginLimited: The address has too many attempts, or too many others are logging in.
    """
    now = clock.timestamp()
    # Counted first: an address over its limit takes no slot from the others.
    if _count_attempt(address, int(now // 60)) > ATTEMPTS_PER_MINUTE:
        pause = 60 - int(now % 60)
        raise LoginLimited("Too many have tried to log in from here. Try again in a minute.", pause)
    if not _slots.acquire(blocking=False):
        raise LoginLimited(_BUSY, 1)
    try:
        if not _hashing.acquire(timeout=WAIT_SECONDS):
            raise LoginLimited(_BUSY, 1)
        try:
            yield
        finally:
            _hashing.release()
    finally:
        _slots.release()


def _count_attempt(address: str, minute: int) -> int:
    """Count an attempt; return their number in this minute, 0 without a cache."""
    key = f"logins:{minute}:{address}"
    cache.add(key, 0, 120)
    try:
        return cache.incr(key) or 0
    except ValueError:  # it has just expired
        return 0


def record(request: HttpRequest, response: HttpResponse) -> None:
    """Put on record who has logged in, or which account of staff was refused a login.

    Of refusals one in a quarter of an hour for each account and address, and for an account no more
    than ``MAX_ON_RECORD``: anybody can cause more.
    """
    if response.status_code == HTTPStatus.FOUND and isinstance(request.user, User):
        audit.record(request, action="logged in", obj=request.user)
        return
    form = (getattr(response, "context_data", None) or {}).get("form")
    name = getattr(form, "cleaned_data", {}).get("username")  # without blanks, as axes counts it
    user = User.objects.filter(username=name).first() if name else None
    if user is None:
        return
    recent = timezone.now() - settings.AXES_COOLOFF_TIME
    refused = audit.of_object(user).filter(action=REFUSED, at__gt=recent)
    addresses = list(refused.values_list("address", flat=True)[:MAX_ON_RECORD])
    known = address_of(request) in map(network_of, addresses)
    if not known and len(addresses) < MAX_ON_RECORD:
        last = len(addresses) == MAX_ON_RECORD - 1
        audit.record(request, action=REFUSED, obj=user, user=user, detail=_LAST if last else "")


def address_of(request: HttpRequest) -> str:
    """Return what counts as one caller's address: of IPv6, the network that one machine has."""
    return network_of(request.META.get("REMOTE_ADDR", ""))
