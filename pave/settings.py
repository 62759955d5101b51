"""Pave's settings: read from the environment, with defaults for a machine that has no server.

Every setting of Pave's own is described in docs/settings.md. With nothing set, Pave runs on
SQLite under ``var/``, keeps its cache in that database and wakes its cluster through it too.
"""

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from pave.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
env = Environment()

# While DEBUG is on and none is set. Everybody knows them: with DEBUG off a check refuses them.
INSECURE_SECRET_KEY = "pave-insecure-development-key"  # noqa: S105 - a check refuses it
INSECURE_ENCRYPTION_KEY = "cGF2ZS1pbnNlY3VyZS1kZXZlbG9wbWVudC1rZXktMDA="

# --- Security -------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Networks of proxies whose X-Forwarded-For tells a caller's address.
PAVE_TRUSTED_PROXIES = env.networks("PAVE_TRUSTED_PROXIES", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

if not DEBUG and not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set it to a long random value; or DEBUG=true, on a developer's "
        "machine."
    )
if not DEBUG and not FIELD_ENCRYPTION_KEYS:
    raise ImproperlyConfigured(
        "DEBUG is off and FIELD_ENCRYPTION_KEYS is not set. Make a key with: "
        'python -c "from cryptography.fernet import Fernet; '
        'print(Fernet.generate_key().decode())"'
    )
SECRET_KEY = SECRET_KEY or INSECURE_SECRET_KEY
FIELD_ENCRYPTION_KEYS = FIELD_ENCRYPTION_KEYS or [INSECURE_ENCRYPTION_KEY]

# TLS ends at a proxy in front of Pave, which says so in this header.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=False)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
SESSION_ENGINE = "pave.staff.sessions"
SESSION_COOKIE_SECURE = env.bool("SESSION_COOKIE_SECURE", default=not DEBUG)
CSRF_COOKIE_SECURE = env.bool("CSRF_COOKIE_SECURE", default=not DEBUG)
SESSION_COOKIE_HTTPONLY = True
# A working day; the session ends sooner if the browser is closed.
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The proxy redirects to https; doing it here too would break health checks inside the network.
SILENCED_SYSTEM_CHECKS = ["security.W008", *env.list("SILENCED_SYSTEM_CHECKS", default=[])]

# --- Applications ---------------------------------------------------------------------------

INSTALLED_APPS = [
    "pave.staff.apps.StaffAdminConfig",  # django.contrib.admin, with Pave's site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_api_key",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "pave.staff",
    "pave.operations",  # before django_q, whose qcluster command it replaces
    "django_q",
    "pave.clients",
    "pave.api",
    "webhooks",
    "merchants",
]
MIDDLEWARE = [
    "pave.operations.monitoring.request_ids.RequestIdMiddleware",  # first: every line has the id
    "pave.api.middleware.CallersAddress",
    "pave.api.middleware.PlainCookies",
    "pave.api.middleware.BoundedBody",
    "pave.api.middleware.FewParameters",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "pave.staff.timezone_middleware.LocalZone",
    "pave.api.middleware.RateLimitFields",
    "pave.api.unavailable.UnavailableMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it answers users who are locked out
]
ROOT_URLCONF = "pave.urls"
WSGI_APPLICATION = "pave.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "pave" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Where a login ends that was asked for by itself.
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses whoever is locked out
    "django.contrib.auth.backends.ModelBackend",
]
# The number of wrong passwords after which a name is locked for an address.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_CLIENT_IP_CALLABLE = "pave.staff.logins.address_of"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_TEMPLATE = "staff/locked.html"
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True  # nobody sees it, and nothing would remove it
AXES_VERBOSE = False
# For every page of the admin: no script, style or picture except Pave's own files.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = ["pave.formats"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Without this a checkout would have to run collectstatic before its admin has any style.
WHITENOISE_USE_FINDERS = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Data -----------------------------------------------------------------------------------

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'pave.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = None
# A statement that takes longer is ended, and the web server answers 503 (0: never ended). Its limit
# does not hold for a commit, which may wait for a row that a new one refers to; that of locks does.
PAVE_STATEMENT_TIMEOUT = env.float("PAVE_STATEMENT_TIMEOUT", default=0.0)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    VAR_DIR.mkdir(exist_ok=True)
    # Immediate transactions and WAL: several processes share the file without one
    # "database is locked". Deferred ones that read and then write fail whatever the time-out.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] = {
        # Notices a server that vanished within half a minute, not after hours.
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        # Options in DATABASE_URL, such as sslmode, take precedence.
        **DATABASES["default"].get("OPTIONS", {}),
    }
    if PAVE_STATEMENT_TIMEOUT:
        limit = f"{PAVE_STATEMENT_TIMEOUT * 1000:.0f}"
        DATABASES["default"]["OPTIONS"].setdefault(
            "options", f"-c statement_timeout={limit} -c lock_timeout={limit}"
        )

REDIS_URL = env.str("REDIS_URL", default="")
# Raised by a release that caches something in another form: it then sees nothing of the one before.
_CACHE_VERSION = 2
if REDIS_URL:
    CACHES: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "pave.core.caching.redis_cache.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "pave",
            "VERSION": _CACHE_VERSION,
            "OPTIONS": {
                # Not pickle: what is read from Redis must not be able to run code.
                "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
                # An unavailable cache must look empty, never break a request.
                "IGNORE_EXCEPTIONS": True,
                "SOCKET_CONNECT_TIMEOUT": 0.5,
                "SOCKET_TIMEOUT": 1,
            },
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "pave.core.caching.database_cache.DatabaseCache",
            "LOCATION": "pave_cache",  # pave.operations.models.CacheEntry
            "VERSION": _CACHE_VERSION,
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    }
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True
DJANGO_REDIS_LOGGER = "pave.cache"
# For objects, which the others do not take.
CACHES["process"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}

# --- Pave's own -----------------------------------------------------------------------------

PAVE_BROKER = env.str("PAVE_BROKER", default="orm")
PAVE_LISTEN = env.bool("PAVE_LISTEN", default=True)
PAVE_WORKERS = env.int("PAVE_WORKERS", default=2)
# In MB. A worker that takes more, beside what it has after its first work of each kind, is
# replaced.
PAVE_WORKER_MAX_RSS = env.int("PAVE_WORKER_MAX_RSS", default=300)
PAVE_HEURISTIC = env.str(
    "PAVE_HEURISTIC", default="merchants.catalogue.rulesets.CatalogueHeuristic"
)
PAVE_HEURISTIC_SECONDS = env.float("PAVE_HEURISTIC_SECONDS", default=0.0)
PAVE_HEURISTIC_TIMEOUT = env.float("PAVE_HEURISTIC_TIMEOUT", default=60.0)
PAVE_WEBHOOK_TIMEOUT = env.float("PAVE_WEBHOOK_TIMEOUT", default=15.0)
# Seconds to wait after the 1st, 2nd, … failed attempt: ten attempts over three days.
PAVE_WEBHOOK_RETRY_SCHEDULE = env.list(
    "PAVE_WEBHOOK_RETRY_SCHEDULE",
    cast=float,
    default=[5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
)
PAVE_WEBHOOK_ALLOWED_NETWORKS = env.networks("PAVE_WEBHOOK_ALLOWED_NETWORKS", default=[])
PAVE_WEBHOOK_ALLOW_HTTP = env.bool("PAVE_WEBHOOK_ALLOW_HTTP", default=True)
PAVE_MAX_WAITING = env.int("PAVE_MAX_WAITING", default=8)
PAVE_RETENTION_DAYS = env.int("PAVE_RETENTION_DAYS", default=90)
PAVE_HELD_DAYS = env.int("PAVE_HELD_DAYS", default=30)
PAVE_AUDIT_DAYS = env.int("PAVE_AUDIT_DAYS", default=730)
# Whether clients share answers for merchants outside the catalogue; see docs/security.md.
PAVE_SHARE_UNKNOWN = env.bool("PAVE_SHARE_UNKNOWN", default=False)
# How many transactions of one client may wait for admission or for the heuristic before it gets
# 503, and how many of all clients before those with more than an even share get it.
PAVE_CLIENT_QUEUE_DEPTH = env.int("PAVE_CLIENT_QUEUE_DEPTH", default=200_000)
PAVE_MAX_QUEUE_DEPTH = env.int("PAVE_MAX_QUEUE_DEPTH", default=1_000_000)

# --- The cluster ----------------------------------------------------------------------------

# The slices of time of the cluster's tasks, in seconds. A task that works through rows ends after a
# slice, so that its worker soon takes other tasks.
PAVE_TASK_SLICE = 20.0
# At the end of its slice a sender waits for messages in flight, and then twice for those that it
# sent meanwhile.
PAVE_QUICK_TASK_TIMEOUT = int(PAVE_TASK_SLICE + 3 * PAVE_WEBHOOK_TIMEOUT + 10)
PAVE_HEURISTIC_TASK_TIMEOUT = int(PAVE_HEURISTIC_TIMEOUT + 10)
# How long a worker holds what it has claimed; after that it is considered dead.
PAVE_DELIVERY_LEASE = PAVE_QUICK_TASK_TIMEOUT + 15
PAVE_RESOLUTION_LEASE = PAVE_HEURISTIC_TASK_TIMEOUT + 15

Q_CLUSTER: dict[str, Any] = {
    "name": "pave",
    "poll": 0.05,
    "guard_cycle": 0.5,
    "save_limit": -1,
    "ack_failures": True,
    "max_attempts": 1,
    "scheduler": False,
    "catch_up": False,
    "cache": "default",
    # Tasks are wake-ups; a repeated one finds no work.
    "retry": 2 * (PAVE_QUICK_TASK_TIMEOUT + PAVE_HEURISTIC_TASK_TIMEOUT),
    "timeout": PAVE_QUICK_TASK_TIMEOUT,
    # Two send at most, one does what takes long (Wakeup.exclusive), such as a mail to a silent
    # server, and one is left to admit; or the other way round (worker_slots.py).
    "workers": 4,
    "queue_limit": 4,
    "recycle": 500,
    "ALT_CLUSTERS": {
        "quick": {},
        "heuristic": {
            "timeout": PAVE_HEURISTIC_TASK_TIMEOUT,
            "workers": PAVE_WORKERS,
            "queue_limit": PAVE_WORKERS,
        },
    },
}
if PAVE_BROKER == "orm":
    Q_CLUSTER["orm"] = "default"
    Q_CLUSTER["broker_class"] = "pave.operations.cluster.brokers.postgres.broker"
elif PAVE_BROKER == "sqs":
    # Credentials come from the environment or the machine's role, as boto3 finds them.
    Q_CLUSTER["broker_class"] = "pave.operations.cluster.brokers.sqs.broker"
    Q_CLUSTER["sqs"] = {
        "aws_region": env.str("AWS_REGION", default="us-east-1"),
        "receive_message_wait_time_seconds": 5,
    }
elif PAVE_BROKER == "redis":
    if not REDIS_URL:
        raise ImproperlyConfigured("PAVE_BROKER is redis, and REDIS_URL is not set.")
    # Its workers wait for a second at a time, which must not look like Redis being away.
    CACHES["broker"] = copy.deepcopy(CACHES["default"])
    CACHES["broker"]["OPTIONS"]["SOCKET_TIMEOUT"] = 3
    Q_CLUSTER["django_redis"] = "broker"
else:
    raise ImproperlyConfigured(f"PAVE_BROKER is {PAVE_BROKER!r}; choose orm, redis or sqs.")

# --- HTTP API -------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["pave.clients.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["pave.clients.authentication.IsClient"],
    "DEFAULT_PARSER_CLASSES": ["pave.api.body_parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "pave.api.errors.problem_response",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "pave.api.content_negotiation.JSONAlways",
    "DEFAULT_THROTTLE_CLASSES": ["pave.api.throttling.RateThrottle"],
    "DEFAULT_SCHEMA_CLASS": "pave.api.openapi.schema.Schema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Pave",
    "VERSION": "1.0.0",
    "DESCRIPTION": "Send card transactions and learn who the merchant is: read the answer, wait "
    "for it, or have it sent to your webhook.",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "CONTACT": {"name": "Pave maintainers"},
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "AUTHENTICATION_WHITELIST": ["pave.clients.authentication.ApiKeyAuthentication"],
    "COMPONENT_SPLIT_PATCH": False,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": ["pave.api.openapi.schema.complete", "webhooks.api.messages.sign"],
    "WEBHOOKS": [
        "merchants.api.messages.COMPLETED",
        "merchants.api.messages.FAILED",
        "merchants.api.messages.UPDATED",
        "merchants.api.messages.BATCH_COMPLETED",
        "merchants.api.messages.BATCH_UPDATED",
        "webhooks.api.messages.TEST_MESSAGE",
    ],
    "SERVERS": [{"url": "/", "description": "This installation"}],
    "SORT_OPERATIONS": False,
    "TAGS": [
        {"name": "Normalizations", "description": "One transaction at a time."},
        {"name": "Batches", "description": "Up to 50,000 at a time."},
        {"name": "Webhooks", "description": "Where results are sent."},
        {"name": "Deliveries", "description": "The state of each message."},
        {"name": "Merchants", "description": "The catalogue."},
        {"name": "Usage", "description": "Counts and limits."},
        {
            "name": "Kept from the first version",
            "description": "For clients of Pave's first version. They stay.",
        },
        {"name": "Webhooks that Pave sends", "description": "Standard Webhooks 1.0.0."},
        {"name": "Operations", "description": "For operators of Pave."},
    ],
}
PAVE_MAX_BODY = 256 * 1024
PAVE_MAX_UPLOAD = 32 * 1024 * 1024
# Django itself also refuses form posts over this, in the admin.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
# No form takes files; one that is sent all the same is not written to disk.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

# --- Mail and logging -----------------------------------------------------------------------

_email_url = env.str("EMAIL_URL", default="")
# Without a server, mails wait; the log of production would keep their addresses and URLs.
PAVE_SENDS_MAIL = DEBUG or bool(_email_url)
EMAIL_CONFIG = Environment.email_url_config(_email_url or "consolemail://")
vars().update(EMAIL_CONFIG)
# Of each step, in seconds; the worker that waits for a silent mail server has other work.
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="pave@localhost")

# Whoever has it may see /metrics and the details of /readyz; in development everybody may.
PAVE_METRICS_TOKEN = env.str("PAVE_METRICS_TOKEN", default="")
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
# Where errors and traces are sent (pave/operations/monitoring/telemetry.py).
SENTRY_DSN = env.str("SENTRY_DSN", default="")
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "pave.operations.monitoring.log_formatters.PlainFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
        "json": {"()": "pave.operations.monitoring.log_formatters.JSONFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "plain" if DEBUG else "json",
            "filters": ["request_id", "route"],
        }
    },
    "filters": {
        "request_id": {"()": "pave.operations.monitoring.request_ids.RequestIdFilter"},
        "route": {"()": "pave.operations.monitoring.log_formatters.RouteFilter"},
        "away": {"()": "pave.operations.monitoring.log_formatters.AwayFilter"},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # In development Django would log each raw path a second time.
        "django": {"level": "INFO"},
        # Errors with a traceback for what strangers send, which they repeat; but for these.
        "django.security": {"level": "CRITICAL"},
        "django.security.csrf": {"level": "WARNING"},
        "django.security.RequestDataTooBig": {"level": "WARNING"},
        "django.security.SuspiciousSession": {"level": "WARNING"},
        # One line per task would drown Pave's own lines, which give the outcome of each.
        "django-q": {"level": "WARNING"},
        "pave.cache": {"filters": ["away"]},
        "requests_hardened": {"level": "ERROR"},
        # It warns of each connection that it closes, of which clients can cause many.
        "urllib3.connectionpool": {"level": "ERROR"},
        "botocore": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
    },
}
