"""The routes by which clients manage their webhooks and see what became of messages."""
