"""One HTTP POST: bytes go out, an `Outcome` comes back, whatever the network does.

How responses are classified:

- 2xx, and the whole response within the deadline and 64 KiB, is success. A response that breaks
  off or does not end is a failure: a repeated delivery can be recognised by its `webhook-id`, a
  lost one cannot.
- 3xx is `redirect` and never followed; any other status is `http`, as is a response that is not
  valid HTTP (then without a status, unless only its chunks are not). Once the status says failure,
  the body changes nothing.
- A 2xx body longer than 64 KiB is `too_large`; so is any longer head, or one of many headers.
- A reused connection that turns out to be closed, or on which bytes follow that belong to no
  answer, says nothing about the endpoint: the post is made once more, at once and within the same
  deadline, on a new one.
- Interim responses (1xx) are passed over, up to a few; 101 is `http`.
- `Accept-Encoding: identity` is sent and nothing is ever decompressed, so that no small response
  can become a large one.
"""

import re
import ssl
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import certifi
from requests import Response
from requests.exceptions import InvalidHeader
from requests.utils import check_header_validity
from requests_hardened import Config, HTTPSession

from pave.core.card_numbers.masking import masked_value
from webhooks.http.address_policy import AddressPolicy, ascii_host, port_of
from webhooks.http.connections import DiallingAdapter, NoCookies, Target, TargetedRequest
from webhooks.http.outcome import (
    ErrorClass,
    HeaderRefused,
    Outcome,
    classify,
    is_disconnect,
    is_left_over,
)
from webhooks.http.signing import mask_headers
from webhooks.http.sockets import Dialler, Exchange, TLSContext

__all__ = ["ErrorClass", "Outcome", "Transport"]

# Limits for a response's stored headers.
MAX_HEADERS = 64
MAX_HEADER_LENGTH = 1024
MAX_HEADERS_LENGTH = 8192  # of all values together
# More than a card number is long, with gaps: one is found also where a text is cut.
_CARD_LENGTH = 64
_READ_SIZE = 16384
# Python's own, but for DHE: there the endpoint chooses the prime, and one of 10,000 bits costs us
# a second of CPU. It concerns TLS 1.2 only.
_CIPHERS = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
# Each piece of a body costs CPU, however small it is.
MAX_PIECES = 4_000
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


class _Session(HTTPSession):
    """A session without cookies, proxies, .netrc and redirects."""

    def __init__(self, adapter: DiallingAdapter, timeout: float) -> None:
        # The library's filter is off: `adapter` has its own.
        super().__init__(
            Config(
                ip_filter_enable=False,
                ip_filter_allow_loopback_ips=False,
                never_redirect=True,
                default_timeout=timeout,
            )
        )
        self.trust_env = False
        self.cookies = NoCookies()
        self.adapters.clear()
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: Response) -> str | None:
        # Otherwise `requests` reads the whole body of a redirect, however long, to prepare a
        # request that is never made.
        return None


class Transport:
    """Posts webhooks; one object for any number of threads.

    Args:
        policy: which URLs and addresses may be used.
        timeout: seconds that an exchange may take, from the look-up to the last byte.
        max_body: bytes of a response's body that are read.
        max_kept: characters of it that are stored in the outcome.
        ca_file: PEM file of the certificates to trust in place of the usual public ones.
        hosts: how many hosts keep idle connections.
        per_host: how many idle connections a host keeps; those in use are not limited.
    """

    def __init__(
        self,
        *,
        policy: AddressPolicy,
        timeout: float,
        max_body: int = 65536,
        max_kept: int = 4096,
        ca_file: str | None = None,
        hosts: int = 256,
        per_host: int = 256,
    ) -> None:
        self._policy = policy
        self._timeout = timeout
        self._max_body = max_body
        self._max_kept = max_kept
        self._dialler = Dialler(policy)
        self._adapter = DiallingAdapter(
            self._dialler, _tls_context(ca_file), hosts=hosts, per_host=per_host
        )
        self._local = threading.local()
        # The same few URLs come again and again, and the policy of a transport does not change.
        self._target = lru_cache(maxsize=4096)(self._checked_target)

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send one webhook and wait for its outcome; network errors are not raised.

        Args:
            url: checked again, since what was allowed when it was stored may not be now.
            body: the bytes to send, as they are.
            headers: all of them but Host, Content-Length and Accept-Encoding.
        """
        started_at = datetime.now(UTC)  # noqa: TID251 - who records it says when
        exchange = self._dialler.exchange = Exchange(self._timeout)
        try:
            request = self._request(url, body, headers)
            try:
                return self._send(request, exchange, started_at)
            except Exception as error:
                if not exchange.reused or not (
                    is_left_over(error)
                    or (is_disconnect(error) and "first_byte" not in exchange.timings)
                ):
                    raise
            exchange = self._dialler.exchange = exchange.for_retry()
            return self._send(request, exchange, started_at)
        except Exception as error:
            failure = classify(error)
            if failure is None:
                raise
            kind, detail = failure
            return self._outcome(exchange, started_at, error=kind, detail=detail)

    def close(self) -> None:
        """Close the idle connections; those in use close when their response has been read."""
        self._adapter.close()

    def _checked_target(self, url: str) -> Target:
        self._policy.check_url(url)
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # Beside a stray "%" urllib3 would encode also those that are right.
        path = _STRAY_PERCENT.sub("%25", path)
        return Target(parts.scheme, ascii_host(parts), port_of(parts), path)

    def _request(self, url: str, body: bytes, headers: Mapping[str, str]) -> TargetedRequest:
        """A prepared request, without the work that `requests` would repeat for each.

        Raises:
            AddressError: the URL may not be used.
            HeaderRefused: a header cannot be sent.
        """
        for header in headers.items():
            try:
                check_header_validity(header)
                "".join(header).encode("latin-1")
            except (InvalidHeader, UnicodeEncodeError) as error:
                raise HeaderRefused from error
        request = TargetedRequest()
        request.target = self._target(url)
        request.method = "POST"
        request.url = url
        request.headers = {
            "Accept-Encoding": "identity",
            "Content-Length": str(len(body)),
            **headers,
        }  # type: ignore[assignment]  # sent as it is: any mapping serves
        request.body = body
        return request

    def _send(self, request: TargetedRequest, exchange: Exchange, started_at: datetime) -> Outcome:
        response = self._session().send(
            request, stream=True, timeout=self._timeout, proxies={}, allow_redirects=False
        )
        status = response.status_code
        head, failure = self._read(response.raw, ok=200 <= status < 300)
        if 300 <= status < 400:
            error, detail = ErrorClass.REDIRECT, f"The endpoint answered {status}: a redirect."
        elif not 200 <= status < 300:
            error, detail = ErrorClass.HTTP, f"The endpoint answered {status}."
        elif failure is not None:
            error, detail = failure
        else:
            error, detail = None, ""
        return self._outcome(
            exchange, started_at, error=error, detail=detail, response=response, head=head
        )

    def _session(self) -> _Session:
        try:
            session: _Session = self._local.session
            return session
        except AttributeError:
            session = self._local.session = _Session(self._adapter, self._timeout)
            return session

    def _read(self, raw: Any, *, ok: bool) -> tuple[bytes, tuple[ErrorClass, str] | None]:
        """What could be read of the body, and the failure while reading the rest.

        The connection goes back to its pool if the whole body has been read, else it is closed.

        Args:
            raw: urllib3's response.
            ok: whether the status says success, so that the body has to be seen to its end.
        """
        parts: list[bytes] = []
        size = 0
        complete = raw.status >= 200  # after an interim response another one may come
        failure: tuple[ErrorClass, str] | None = None
        try:
            while complete and raw.length_remaining != 0:
                part = raw.read1(_READ_SIZE, decode_content=False)
                if not part:
                    break
                parts.append(part)
                size += len(part)
                if size > self._max_body:
                    complete = False
                    failure = ErrorClass.TOO_LARGE, f"The answer exceeds {self._max_body} bytes."
                elif len(parts) > MAX_PIECES:
                    complete = False
                    failure = ErrorClass.TOO_LARGE, f"The answer has more than {MAX_PIECES} pieces."
        except Exception as error:
            complete = False
            failure = classify(error)
            if failure is None:
                raise
        finally:
            if complete:
                # Marks the response as complete before the connection is reused.
                raw.drain_conn()
            else:
                raw.close()
            raw.release_conn()
        return b"".join(parts), failure

    def _outcome(
        self,
        exchange: Exchange,
        started_at: datetime,
        *,
        error: ErrorClass | None,
        detail: str,
        response: Response | None = None,
        head: bytes = b"",
    ) -> Outcome:
        return Outcome(
            ok=error is None,
            status=None if response is None else response.status_code,
            error="" if error is None else error.value,
            detail=detail,
            started_at=started_at,
            duration_ms=exchange.elapsed_ms(),
            resolved_address=exchange.address,
            response_headers={} if response is None else _stored_headers(response.headers),
            response_head=_beginning(head.decode("utf-8", "replace"), self._max_kept),
            timings=exchange.timings,
        )


def _stored_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A response's headers within the limits, with secrets masked."""
    stored: dict[str, str] = {}
    remaining = MAX_HEADERS_LENGTH
    # The short ones first: they are the useful ones, such as Retry-After.
    for name in sorted(headers, key=lambda name: len(headers[name])):
        value = _beginning(headers[name], MAX_HEADER_LENGTH)
        remaining -= len(value)
        if len(stored) == MAX_HEADERS or remaining < 0:
            break
        stored[_beginning(name.lower(), MAX_HEADER_LENGTH)] = value
    return mask_headers(stored)


def _beginning(text: str, length: int) -> str:
    """Return the beginning of a text as it may be stored, with card numbers masked."""
    return masked_value(text.replace("\0", "")[: length + _CARD_LENGTH])[:length]


@lru_cache(maxsize=8)
def _tls_context(ca_file: str | None) -> TLSContext:
    """Verifies certificate and name; shared, since reading the bundle takes a while."""
    context = TLSContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.set_ciphers(_CIPHERS)
    context.load_verify_locations(ca_file or certifi.where())
    return context
