"""Staff's view of the running clusters."""

from django.contrib import admin

from pave.operations.admin_pages import ReadOnlyAdmin
from pave.operations.models import ClusterBeat


@admin.register(ClusterBeat)
class ClusterBeatAdmin(ReadOnlyAdmin):
    list_display = ("queue", "host", "supervisor", "pid", "started_at", "seen_at", "restarts")
