from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "pave.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Register the system checks, and begin to report where that is asked for."""
        from pave.operations.monitoring import telemetry

        telemetry.start()
