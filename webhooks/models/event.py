"""Events."""

from django.db import models

from pave.clients.models import Client
from pave.core.ids import new_id


class Event(models.Model):
    """Something that happened, with the body of its message, fixed when it happened."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    type = models.CharField(max_length=64)
    subject_id = models.UUIDField(help_text="The id of the request or batch that it is about.")
    body = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The deliveries of a request, in the API and the admin.
            models.Index(fields=["subject_id"], name="event_subject"),
            # A client's events in a window of time.
            models.Index(fields=["client", "id"], name="event_client"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"
