"""Staff's view of webhooks, deliveries and their attempts."""

from webhooks.admin import deliveries, events, recoveries, webhooks

__all__ = ["deliveries", "events", "recoveries", "webhooks"]
