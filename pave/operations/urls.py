from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from pave.operations.monitoring import health, metrics

urlpatterns = [
    path("livez", csrf_exempt(require_safe(health.livez)), name="livez"),
    path("metrics", csrf_exempt(require_safe(metrics.metrics)), name="metrics"),
    path("readyz", csrf_exempt(require_safe(health.readyz)), name="readyz"),
]
