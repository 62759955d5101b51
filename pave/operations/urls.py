from django.urls import path

from pave.operations import health, metrics

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("metrics", metrics.metrics, name="metrics"),
    path("readyz", health.readyz, name="readyz"),
]
