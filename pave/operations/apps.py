from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "pave.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Register the system checks."""
        from pave.operations import checks  # noqa: F401
