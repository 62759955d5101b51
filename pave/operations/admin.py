"""Staff's view of the running clusters."""

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from pave.operations.models import ClusterBeat
from pave.operations.monitoring.health import SEEN_WITHIN
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago, pill


@admin.register(ClusterBeat)
class ClusterBeatAdmin(ReadOnlyAdmin):
    purpose = "Which clusters run, and when each last reported; they do so every 5 s."
    list_display = ("queue", "host", "pid", "state", "seen", "started", "restarts")
    list_display_links = None

    @admin.display(description="state")
    def state(self, beat: ClusterBeat) -> SafeString:
        return pill("ok" if beat.seen_at >= timezone.now() - SEEN_WITHIN else "not seen")

    @admin.display(description="seen")
    def seen(self, beat: ClusterBeat) -> str:
        return ago(beat.seen_at)

    @admin.display(description="started")
    def started(self, beat: ClusterBeat) -> str:
        return ago(beat.started_at)
