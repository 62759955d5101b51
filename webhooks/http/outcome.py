"""The outcome of one attempt, and the class of each failure."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import urllib3.exceptions
from requests import RequestException
from urllib3.util.ssl_match_hostname import CertificateError

from webhooks.http.address_policy import AddressError, Unresolved


class ErrorClass(StrEnum):
    """Why an attempt failed; the values are part of the contract."""

    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    TLS = "tls"
    BLOCKED = "blocked"
    HTTP = "http"
    REDIRECT = "redirect"
    TOO_LARGE = "too_large"


class HeaderRefused(Exception):
    """A header cannot be sent over HTTP."""


class TooLarge(Exception):
    """The response is larger than the limit."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt, with the evidence for it.

    Attributes:
        ok: whether the endpoint accepted the webhook.
        status: the HTTP status, if a response got that far.
        error: an `ErrorClass` value, or "" when ok.
        detail: one sentence for people, without secrets; "" when ok.
        started_at: aware, UTC.
        duration_ms: from the start to the end of the response or to the failure.
        resolved_address: the address that was dialled, or the last one tried; None if none was.
        response_headers: names in lower case, values cut to a size fit for a row.
        response_head: the beginning of the body as text.
        timings: milliseconds by stage: `dns`, `connect` and `tls` where a connection was made,
            `first_byte` from the start to the first byte of the response.
    """

    ok: bool
    status: int | None
    error: str
    detail: str
    started_at: datetime
    duration_ms: int
    resolved_address: str | None
    response_headers: dict[str, str]
    response_head: str
    timings: dict[str, int]


def classify(error: Exception) -> tuple[ErrorClass, str] | None:
    """The class of a failed exchange's error and a sentence about it; None if it is a bug.

    `requests` and urllib3 wrap errors in errors, and differently from stage to stage; the first
    cause in the chain with a class decides.
    """
    for cause in _causes(error):
        if (failure := _classify_one(cause)) is not None:
            return failure
    if isinstance(error, RequestException | urllib3.exceptions.HTTPError):
        return ErrorClass.HTTP, "The answer is not valid HTTP."
    return None


def is_disconnect(error: Exception) -> bool:
    """Whether the other side closed the connection."""
    return any(isinstance(cause, ConnectionError) for cause in _causes(error))


def is_left_over(error: Exception) -> bool:
    """Whether what came is not the beginning of an answer, as bytes behind an earlier one are."""
    return any(
        isinstance(cause, http.client.BadStatusLine) and not isinstance(cause, ConnectionError)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _classify_one(cause: BaseException) -> tuple[ErrorClass, str] | None:
    match cause:
        case Unresolved() | socket.gaierror():
            return ErrorClass.DNS, "The host name has no public address."
        case AddressError():
            return ErrorClass.BLOCKED, str(cause)
        case HeaderRefused():
            return ErrorClass.BLOCKED, "A header of this webhook cannot be sent over HTTP."
        case TimeoutError():
            return ErrorClass.TIMEOUT, "There was no complete answer in time."
        case ssl.SSLCertVerificationError():
            return ErrorClass.TLS, f"The certificate is not trusted: {cause.verify_message}."
        case CertificateError():
            return ErrorClass.TLS, "The certificate is not trusted: it names another host."
        case ssl.SSLError():
            reason = (cause.reason or "connection closed").replace("_", " ").lower()
            return ErrorClass.TLS, f"The TLS connection failed: {reason}."
        case ConnectionRefusedError():
            return ErrorClass.REFUSED, "The connection was refused."
        case http.client.IncompleteRead() | ConnectionError():
            return ErrorClass.RESET, "The connection was closed before the answer was complete."
        case TooLarge():
            return ErrorClass.TOO_LARGE, "The answer is too large."
        case http.client.HTTPException():
            return ErrorClass.HTTP, "The answer is not valid HTTP."
        case OSError(errno=int()):
            return ErrorClass.REFUSED, f"No connection could be made: {cause.strerror}."
    return None
