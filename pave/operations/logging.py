"""Log lines for machines."""

from pythonjsonlogger.json import JsonFormatter


class JSONFormatter(JsonFormatter):
    """One JSON object a line: time, level, logger, message and the line's own fields."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
