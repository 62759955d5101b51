"""`requests` and urllib3 made to connect through the dialler.

The pools are shared by all threads, so that a connection (and its TLS handshake) is used again
whichever thread sends next to that host.
"""

import socket
import time
from dataclasses import dataclass
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.retry import Retry

from webhooks.http.answers import Answer
from webhooks.http.sockets import Dialler, TLSContext

# Seconds. A connection is replaced after this, so that an endpoint that has moved is found; an idle
# one is used no longer than routers on the way usually keep its state.
MAX_AGE = 300.0
MAX_IDLE = 30.0


class _Dialled:
    """Common base of plain and TLS connections: their dialler, and when they were dialled."""

    sock: Any
    port: int
    _dns_host: str
    response_class: Any = Answer

    def __init__(self, *args: Any, dialler: Dialler, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialler = dialler
        self._address: str | None = None
        self._dialled_at = 0.0
        self._used_at = 0.0

    def _new_conn(self) -> socket.socket:
        sock = self._dialler.dial(self._dns_host, self.port)
        self._dialled_at = time.monotonic()
        self._address = self._dialler.exchange.address
        return sock

    def is_stale(self) -> bool:
        now = time.monotonic()
        return bool(
            self.sock.exchange.left_over
            or now - self._dialled_at > MAX_AGE
            or now - self._used_at > MAX_IDLE
        )

    def request(self, *args: Any, **kwargs: Any) -> None:
        exchange = self._dialler.exchange
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]  # urllib3's, beside this class
        # For TLS urllib3 has connected before it comes here; but then `dial` has set the address.
        exchange.reused = exchange.address is None
        exchange.address = self._address
        self.sock.exchange = exchange
        super().request(*args, **kwargs)  # type: ignore[misc]  # urllib3's
        self._used_at = time.monotonic()


class _PlainConnection(_Dialled, HTTPConnection):
    pass


class _TLSConnection(_Dialled, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self._dialler.exchange.record_timing("tls", self._dialled_at)

    def is_stale(self) -> bool:
        return self.sock.has_unread or super().is_stale()


class _FreshPool:
    """A pool that reuses a connection only if it is not stale."""

    conn_kw: dict[str, Any]

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn = super()._get_conn(timeout)  # type: ignore[misc]  # urllib3's, beside this class
        if conn.sock is not None and (conn.is_stale() or self.conn_kw["dialler"].exchange.fresh):
            conn.close()
        return conn


class _PlainPool(_FreshPool, HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(_FreshPool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Pools(PoolManager):
    def __init__(self, dialler: Dialler, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._dialler = dialler
        self.pool_classes_by_scheme = {"http": _PlainPool, "https": _TLSPool}

    def _new_pool(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super()._new_pool(*args, **kwargs)
        pool.conn_kw["dialler"] = self._dialler
        return pool


@dataclass(frozen=True, slots=True)
class Target:
    """A URL parsed once: what a pool and a request line need of it."""

    scheme: str
    host: str
    port: int
    path: str


class TargetedRequest(PreparedRequest):
    """A request whose URL has been checked and parsed already."""

    target: Target


class NoCookies(RequestsCookieJar):
    """A jar that stays empty: one endpoint's cookie must not come with another's webhook."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        pass


class DiallingAdapter(HTTPAdapter):
    """The adapter that sessions mount: `requests` above it, checked connections below.

    Args:
        dialler: opens the connections.
        tls: the context for https, created once, not per connection.
        hosts: how many hosts keep connections; the least recently used loses them.
        per_host: how many idle connections one host keeps.
    """

    def __init__(self, dialler: Dialler, tls: TLSContext, *, hosts: int, per_host: int) -> None:
        self._dialler = dialler
        self._tls = tls
        super().__init__(hosts, per_host, max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        connections, maxsize = args
        self.poolmanager = _Pools(
            self._dialler, num_pools=connections, maxsize=maxsize, ssl_context=self._tls
        )

    def get_connection_with_tls_context(
        self, request: Any, *args: Any, **kwargs: Any
    ) -> HTTPConnectionPool:
        target: Target = request.target
        return self.poolmanager.connection_from_host(target.host, target.port, target.scheme)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the context holds the trusted certificates, and always verifies."""

    def request_url(self, request: Any, proxies: Any) -> str:
        target: Target = request.target
        return target.path

    def build_response(self, req: Any, resp: Any) -> Response:
        # Without what the transport does not use: encoding, history, cookies.
        response = Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        response.request = req
        return response
