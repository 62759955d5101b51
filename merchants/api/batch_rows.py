"""Validates the rows of a batch."""

from typing import Any

from rest_framework.exceptions import ValidationError

from merchants.api.serializers import TransactionSerializer
from merchants.api.transaction_validation import Checker
from pave.api.errors import field_errors
from pave.clients.authentication import names_other_client

_checker = Checker(TransactionSerializer())


class RowChecker:
    """Validates the rows of one batch, as a single transaction is validated.

    Args:
        client_id: The batch's client; rows that name another client are refused.
    """

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id

    def check(self, row: Any) -> tuple[dict[str, Any] | None, list[dict[str, str]]]:
        """Return the model's fields, or None and the errors of the row."""
        if isinstance(row, dict) and names_other_client(row.get("client_id"), self._client_id):
            detail = "This is another client than the API key's."
            return None, [{"pointer": "/client_id", "detail": detail}]
        try:
            return _checker.check(row), []
        except ValidationError as error:
            return None, field_errors(error.detail)
