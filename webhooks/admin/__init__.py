"""Staff's view of webhooks, deliveries and their attempts."""

from webhooks.admin import deliveries, webhooks

__all__ = ["deliveries", "webhooks"]
