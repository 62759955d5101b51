"""System checks of Pave's own settings."""

import re
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import WARNING, CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from pave.operations.monitoring import telemetry

# Of random characters; Django's own are longer.
SECRET_KEY_LENGTH = 32
MIN_TOKEN_LENGTH = 16
# Addresses of the machine itself.
_ITSELF = [
    ip_network(network)
    for network in ("127.0.0.0/8", "0.0.0.0/8", "::1", "::", "::ffff:127.0.0.0/104")
]


@register(Tags.compatibility)
def positive_numbers(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse durations and counts that make no sense."""
    limits = {
        "PAVE_WORKERS": 1,
        "PAVE_WORKER_MAX_RSS": 1,
        "PAVE_HEURISTIC_SECONDS": 0,
        "PAVE_HEURISTIC_TIMEOUT": 1,
        "PAVE_WEBHOOK_TIMEOUT": 0.1,
        "PAVE_RETENTION_DAYS": 1,
        "PAVE_HELD_DAYS": 1,
        "PAVE_AUDIT_DAYS": 1,
        "PAVE_MAX_WAITING": 0,
        "PAVE_CLIENT_QUEUE_DEPTH": 1,
        "PAVE_MAX_QUEUE_DEPTH": 1,
        "PAVE_STATEMENT_TIMEOUT": 0,
    }
    return [
        Error(f"{name} is {getattr(settings, name)}; it must be at least {lowest}.", id="pave.E001")
        for name, lowest in limits.items()
        if getattr(settings, name) < lowest
    ]


@register(Tags.compatibility)
def retry_schedule(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse a schedule that would retry at once for ever."""
    if all(seconds > 0 for seconds in settings.PAVE_WEBHOOK_RETRY_SCHEDULE):
        return []
    return [Error("PAVE_WEBHOOK_RETRY_SCHEDULE has a pause that is not positive.", id="pave.E002")]


@register(Tags.compatibility)
def heuristic_path(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse a PAVE_HEURISTIC that cannot be imported."""
    try:
        import_string(settings.PAVE_HEURISTIC)
    except (ImportError, ImproperlyConfigured) as error:
        return [Error(f"PAVE_HEURISTIC cannot be imported: {error}", id="pave.E003")]
    return []


@register(Tags.compatibility)
def leases(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Hold HTTP time-out < task time-out < lease, and the broker's retry above the longest wait."""
    quick, heuristic = settings.PAVE_QUICK_TASK_TIMEOUT, settings.PAVE_HEURISTIC_TASK_TIMEOUT
    orders = [
        (settings.PAVE_WEBHOOK_TIMEOUT, quick, "webhook time-out, quick task time-out"),
        (quick, settings.PAVE_DELIVERY_LEASE, "quick task time-out, delivery lease"),
        (settings.PAVE_HEURISTIC_TIMEOUT, heuristic, "heuristic time-out, its task time-out"),
        (heuristic, settings.PAVE_RESOLUTION_LEASE, "heuristic task time-out, its lease"),
        (quick + heuristic, settings.Q_CLUSTER["retry"], "task time-outs, broker's retry"),
    ]
    return [
        Error(f"These must grow in this order, and do not: {names}.", id="pave.E004")
        for lower, upper, names in orders
        if lower >= upper
    ]


@register(Tags.compatibility)
def telemetry_installed(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse telemetry settings without their packages."""
    return [
        Error(
            f"{name} is set, and not installed: {', '.join(packages)}.",
            hint=f"pip install {' '.join(packages)}",
            id="pave.E005",
        )
        for name in telemetry.NEEDS
        if getattr(settings, name) and (packages := telemetry.missing(name))
    ]


@register(Tags.compatibility)
def broker_installed(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse a broker without its packages."""
    if settings.PAVE_BROKER != "sqs" or find_spec("boto3"):
        return []
    hint = "pip install -r requirements-sqs.txt"
    return [Error("PAVE_BROKER is sqs, and boto3 is not installed.", hint=hint, id="pave.E006")]


@register(Tags.security)
def keys(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse a key that can be guessed, and keys that cannot encrypt."""
    errors = []
    secrets = {"SECRET_KEY": settings.SECRET_KEY}
    for number, key in enumerate(settings.SECRET_KEY_FALLBACKS, 1):
        secrets[f"The key number {number} of SECRET_KEY_FALLBACKS"] = key
    for name, key in secrets.items():
        if settings.DEBUG:
            continue
        if len(key) < SECRET_KEY_LENGTH or key == settings.INSECURE_SECRET_KEY:
            message = f"{name} has fewer than {SECRET_KEY_LENGTH} characters, or is public."
            errors.append(Error(message, id="pave.E007"))
    for number, key in enumerate(settings.FIELD_ENCRYPTION_KEYS, 1):
        name = f"The key number {number} of FIELD_ENCRYPTION_KEYS"
        try:
            Fernet(key)
        except ValueError:
            errors.append(Error(f"{name} is not one of Fernet's.", id="pave.E008"))
        if not settings.DEBUG and key == settings.INSECURE_ENCRYPTION_KEY:
            errors.append(Error(f"{name} is public.", id="pave.E008"))
    return errors


@register(Tags.caches)
def redis_url(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse a REDIS_URL that would look like a Redis that is away for ever."""
    if not settings.REDIS_URL or settings.REDIS_URL.startswith(
        ("redis://", "rediss://", "unix://")
    ):
        return []
    return [Error("REDIS_URL begins with redis://, rediss:// or unix://.", id="pave.E009")]


@register(Tags.security)
def hosts(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse a host that no request can name, since its requests would get 400 without a word.

    And ``*``, with which whoever calls chooses the host in links.
    """
    errors = [
        Error(f"{host!r} in ALLOWED_HOSTS is not the name of a host alone.", id="pave.E010")
        for host in settings.ALLOWED_HOSTS
        if not re.fullmatch(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[\da-fA-F:.]+\]", host)
    ]
    if "*" in settings.ALLOWED_HOSTS and not settings.DEBUG:
        errors.append(Error("ALLOWED_HOSTS allows all, and DEBUG is off.", id="pave.E011"))
    return errors


@register(Tags.security)
def networks(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse to let clients' webhooks lead to this machine itself, or anywhere at all."""
    return [
        Error(
            f"PAVE_WEBHOOK_ALLOWED_NETWORKS has {network}, which includes this machine, and DEBUG "
            "is off.",
            id="pave.E012",
        )
        for network in settings.PAVE_WEBHOOK_ALLOWED_NETWORKS
        if not settings.DEBUG
        and any(one.version == network.version and network.overlaps(one) for one in _ITSELF)
    ]


@register(Tags.security)
def proxies(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse to believe anybody what a caller's address is."""
    return [
        Error(f"PAVE_TRUSTED_PROXIES has {network}, which is everybody.", id="pave.E013")
        for network in settings.PAVE_TRUSTED_PROXIES
        if network.prefixlen == 0
    ]


@register(Tags.security)
def metrics_token(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse a token that can be guessed: nothing limits how often who tries."""
    length = len(settings.PAVE_METRICS_TOKEN)
    if settings.DEBUG or not 0 < length < MIN_TOKEN_LENGTH:
        return []
    return [
        Error(
            f"PAVE_METRICS_TOKEN has {length} characters, not {MIN_TOKEN_LENGTH}.", id="pave.E014"
        )
    ]


@register(Tags.security, deploy=True)
def mail_server(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn where staff and clients' contacts are promised mails, and none can go."""
    if settings.PAVE_SENDS_MAIL:
        return []
    return [CheckMessage(WARNING, "EMAIL_URL is not set: nobody gets a mail.", id="pave.W015")]
