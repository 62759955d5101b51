"""The audit trail: who did what, when, and what was before and after."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from encrypted_fields.fields import EncryptedFieldMixin
from rest_framework.request import Request

from pave.staff.models import AuditEntry

logger = logging.getLogger(__name__)

# In place of secrets.
MASK = "***"
MAX_LENGTH = 300
# Who did something, if it was a client: followed by its id. No account has a blank in its name.
BY_CLIENT = "client "
MAX_OF_CLIENT = 500
BY_COMMAND = "manage.py "
# Who saw a transaction. A page that is opened again within this time adds no entry.
OPENED = "opened"
OPENED_FOR = timedelta(hours=1)
# In place of the name of what is gone.
ERASED = "erased"

_SECRET_WORDS = ("password", "secret", "hashed_key", "token")

Snapshot = dict[str, str]


def snapshot(obj: Model) -> Snapshot:
    """Return an object's fields as text: secrets masked, bytes left out."""
    values = {}
    for field in obj._meta.concrete_fields:
        if (
            field.primary_key
            or getattr(field, "auto_now", False)
            or field.get_internal_type() == "BinaryField"
            or field.attname in obj.get_deferred_fields()
        ):
            continue
        value = field.value_from_object(obj)
        if _is_secret(field):
            values[field.name] = MASK if value else ""
        else:
            values[field.name] = as_text(value)
    for field in obj._meta.many_to_many if obj.pk else ():
        values[field.name] = ", ".join(sorted(map(str, getattr(obj, field.name).all())))
    return values


def differences(before: Snapshot, after: Snapshot) -> dict[str, list[str]]:
    """Return what differs between two snapshots: field -> before and after."""
    return {
        name: [before.get(name, ""), after.get(name, "")]
        for name in [*before, *(name for name in after if name not in before)]
        if before.get(name, "") != after.get(name, "")
    }


def record(
    request: HttpRequest,
    *,
    action: str,
    obj: Model | None = None,
    model: str = "",
    changes: Mapping[str, Any] | None = None,
    detail: str = "",
    user: AbstractBaseUser | AnonymousUser | None = None,
) -> AuditEntry:
    """Record what the request's user did.

    Args:
        request: Whose user did it, and from which address.
        action: What, in a few words.
        obj: To which object; or ``model`` if it was to no single one.
        model: The label of a model, such as ``merchants.ruleset``.
        changes: Field -> before and after.
        detail: The outcome.
        user: Who did it, if not the request's user.
    """
    user = user or request.user
    return _record(
        user_id=user.pk,
        username=user.get_username(),
        action=action[:100],
        model=obj._meta.label_lower if obj is not None else model,
        object_id=_id_of(obj) if obj is not None else "",
        object_name=str(obj)[:300] if obj is not None else "",
        changes=dict(changes or {}),
        detail=detail[:1000],
        address=request.META.get("REMOTE_ADDR", ""),
    )


def record_opening(request: HttpRequest, *, obj: Model) -> None:
    """Record, once in an hour, that the request's user saw a transaction; without its text."""
    opened = of_object(obj).filter(action=OPENED, at__gt=timezone.now() - OPENED_FOR)
    if opened.filter(username=request.user.get_username()).exists():
        return
    _record(
        user_id=request.user.pk,
        username=request.user.get_username(),
        action=OPENED,
        model=obj._meta.label_lower,
        object_id=_id_of(obj),
        address=request.META.get("REMOTE_ADDR", ""),
    )


def record_of_client(
    request: Request, *, client_id: str, action: str, obj: Model, changes: Mapping[str, Any]
) -> None:
    """Record what a client did through the API to an object of its own.

    In a day no more than ``MAX_OF_CLIENT`` of each action, since it can do so as often as it likes;
    of others the log has what was done.

    Args:
        request: The client's.
        client_id: The client's id in the API.
        action: What, in a few words.
        obj: To which object.
        changes: Field -> before and after.
    """
    day = timezone.now() - timedelta(days=1)
    of_client = AuditEntry.objects.filter(
        username=f"{BY_CLIENT}{client_id}", action=action, at__gt=day
    )
    _record(
        keep=of_client.count() < MAX_OF_CLIENT,
        username=f"{BY_CLIENT}{client_id}",
        action=action,
        model=obj._meta.label_lower,
        object_id=_id_of(obj),
        object_name=str(obj)[:300],
        changes=dict(changes),
        address=request.META.get("REMOTE_ADDR", ""),
    )


def record_by_command(command: str, action: str, obj: Model) -> None:
    """Record what somebody in a shell did.

    Args:
        command: The command of ``manage.py``; no account has a blank in its name either.
        action: What, in a few words.
        obj: To which object.
    """
    _record(
        username=f"{BY_COMMAND}{command}",
        action=action,
        model=obj._meta.label_lower,
        object_id=_id_of(obj),
        object_name=str(obj)[:300],
    )


def _record(*, keep: bool = True, **fields: Any) -> AuditEntry:
    """Record something and log it, or log it only.

    The log has no texts, which may be a client's. A backup that is restored lacks the entry.
    """
    entry = AuditEntry(**fields)
    if keep:
        entry.save()
    logger.info(
        "client.did" if entry.username.startswith(BY_CLIENT) else "staff.did",
        extra={
            "user": entry.username,
            "action": entry.action,
            "address": entry.address,
            "object": f"{entry.model}:{entry.object_id}",
            "changed": sorted(entry.changes),
        },
    )
    return entry


def erase_client(client_id: str) -> None:
    """Take a client's id and texts out of the entries of what it did."""
    entries = AuditEntry.objects.filter(username=f"{BY_CLIENT}{client_id}")
    blank(entries)
    entries.update(username=BY_CLIENT.strip(), address="")


def of_object(obj: Model) -> QuerySet[AuditEntry]:
    """Return what was done to an object, newest first."""
    return AuditEntry.objects.filter(model=obj._meta.label_lower, object_id=_id_of(obj))


def blank(entries: QuerySet[AuditEntry]) -> None:
    """Reduce entries about what has been erased to who did what, and when."""
    entries.update(object_name=ERASED, changes={}, detail="")


def as_text(value: Any) -> str:
    """Return a value as recorded, truncated."""
    if value is None or value == "":
        return ""
    text = str(value)
    return text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "…"


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name is masked."""
    return any(word in name for word in _SECRET_WORDS)


def _id_of(obj: Model) -> str:
    """Return an object's id; a model whose key is secret has an ``audit_id``."""
    return str(getattr(obj, "audit_id", obj.pk))


def _is_secret(field: Any) -> bool:
    return isinstance(field, EncryptedFieldMixin) or is_secret_name(field.name)
