"""Exceptions of views, in addition to REST framework's."""

from rest_framework import exceptions, status


class PayloadTooLarge(exceptions.APIException):
    """The body is larger than the route takes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."


class Conflict(exceptions.APIException):
    """The request conflicts with the present state."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This conflicts with the present state."


class InProgress(Conflict):
    """Another request with the same Idempotency-Key is being handled."""

    default_detail = "The first request with this Idempotency-Key is in progress. Try again soon."
    wait = 1  # second, for Retry-After


class Unprocessable(exceptions.APIException):
    """The request is well formed and can never succeed."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "This cannot be done."


class Overloaded(exceptions.APIException):
    """Too much work waits already.

    Args:
        wait: Seconds after which the client may try again (``Retry-After``).
        detail: A sentence for the client.
    """

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Too much work waits already. Try again later."

    def __init__(self, wait: int, detail: str | None = None) -> None:
        super().__init__(detail)
        self.wait = wait


class BodyTimeout(exceptions.APIException):
    """The client has stopped sending the body, or has disconnected."""

    status_code = status.HTTP_408_REQUEST_TIMEOUT
    default_detail = "The body did not come in time."


class ParameterError(exceptions.ValidationError):
    """Parameters of the query, or headers, are not valid: a dictionary of names and sentences."""
