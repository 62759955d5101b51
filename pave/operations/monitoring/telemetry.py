"""Sends errors to Sentry and traces to OpenTelemetry, if the environment configures them.

Neither is required. If one is configured and not installed, a system check fails.
"""

from importlib import import_module
from importlib.util import find_spec

from django.conf import settings

# What each setting needs: modules, and the packages that contain them.
NEEDS = {
    "SENTRY_DSN": {"sentry_sdk": "sentry-sdk"},
    "OTEL_EXPORTER_OTLP_ENDPOINT": {
        "opentelemetry.sdk.trace": "opentelemetry-sdk",
        "opentelemetry.exporter.otlp.proto.http.trace_exporter": (
            "opentelemetry-exporter-otlp-proto-http"
        ),
        "opentelemetry.instrumentation.django": "opentelemetry-instrumentation-django",
        "opentelemetry.instrumentation.psycopg2": "opentelemetry-instrumentation-psycopg2",
    },
}


def missing(setting: str) -> list[str]:
    """Return the packages that ``setting`` needs and that are not installed."""
    return [package for module, package in NEEDS[setting].items() if not _is_installed(module)]


def start() -> None:
    """Start reporting, in this process."""
    if settings.SENTRY_DSN and not missing("SENTRY_DSN"):
        # No bodies, headers, or values of variables: they contain what clients send, and keys.
        import_module("sentry_sdk").init(
            dsn=settings.SENTRY_DSN,
            send_default_pii=False,
            include_local_variables=False,
            max_request_body_size="never",
        )
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and not missing("OTEL_EXPORTER_OTLP_ENDPOINT"):
        _start_tracing()


def _start_tracing() -> None:
    trace = import_module("opentelemetry.trace")
    sdk = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    import_module("opentelemetry.instrumentation.django").DjangoInstrumentor().instrument()
    import_module("opentelemetry.instrumentation.psycopg2").Psycopg2Instrumentor().instrument()


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the parent package
        return False
