"""What Pave remembers of its own running."""

from django.db import models


class CacheEntry(models.Model):
    """The table of Django's database cache, which serves where there is no Redis.

    Django's ``DatabaseCache`` reads and writes it; as a model, it is made by ``migrate``.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "pave_cache"

    def __str__(self) -> str:
        return self.cache_key


class ClusterBeat(models.Model):
    """One running cluster: a queue on a host, and when it was last seen at work."""

    host = models.CharField(max_length=255)
    queue = models.CharField(max_length=32)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    restarts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "queue"], name="one_beat_a_cluster")]

    def __str__(self) -> str:
        return f"{self.queue} on {self.host}"
