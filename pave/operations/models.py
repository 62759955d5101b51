"""Heartbeats, counters and the cache table."""

from django.db import models


class CacheEntry(models.Model):
    """The table of Django's database cache, used if there is no Redis.

    Django's ``DatabaseCache`` reads and writes it; as a model, it is created by ``migrate``.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "pave_cache"

    def __str__(self) -> str:
        return self.cache_key


class ClusterBeat(models.Model):
    """The heartbeat of one running cluster: a queue of a supervisor's."""

    host = models.CharField(max_length=255)
    supervisor = models.PositiveIntegerField(
        default=0, help_text="Process id of its supervisor: a host may run several."
    )
    queue = models.CharField(max_length=32)
    pid = models.PositiveIntegerField()
    name = models.CharField(
        max_length=128,
        default="",
        db_default="",
        help_text="What the names of its workers begin with, in the rows that they claim.",
    )
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    restarts = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "cluster"
        constraints = [
            models.UniqueConstraint(
                fields=["host", "supervisor", "queue"], name="one_beat_a_cluster"
            )
        ]

    def __str__(self) -> str:
        return f"{self.queue} on {self.host}"


class Tally(models.Model):
    """A counter of one minute, for plots and metrics.

    Rows are only inserted, since processes that increment one row would block each other.
    ``monitoring.counters.roll_up`` later merges rows that differ only in their counts.
    """

    at = models.DateTimeField(help_text="The beginning of the minute, or of the hour once folded.")
    name = models.CharField(max_length=40)
    label = models.CharField(max_length=40, blank=True)
    subject = models.CharField(
        max_length=40, blank=True, help_text="The webhook that is counted, if any."
    )
    count = models.BigIntegerField()
    total = models.FloatField(default=0, help_text="The sum of what was measured.")
    folded = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "tallies"
        indexes = [
            # Plots: a name over a stretch of time.
            models.Index(fields=["name", "at"], name="tally_of_name"),
            # Plots of one webhook.
            models.Index(
                fields=["subject", "name", "at"],
                name="tally_of_subject",
                condition=~models.Q(subject=""),
            ),
            # Folding: what has been added since.
            models.Index(fields=["at"], name="tally_unfolded", condition=models.Q(folded=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.label} {self.count}"
