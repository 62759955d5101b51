"""Rows of a batch: what each gives, or what is wrong with it."""

from typing import Any

from rest_framework.exceptions import ValidationError

from merchants.api.serializers import TransactionSerializer
from merchants.api.transaction_validation import Checker
from pave.api.errors import field_errors
from pave.clients.authentication import names_other_client

_checker = Checker(TransactionSerializer())


class RowChecker:
    """Checks rows of one batch, each as the same transaction is checked that comes alone.

    Args:
        client_id: Whose batch it is; rows that name another client are refused.
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
