import base64
import datetime
import ipaddress
import math
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from webhooks.http.address_policy import AddressPolicy
from webhooks.http.transport import ErrorClass, Outcome, Transport
from webhooks.receiver.application import Receiver, Reply, in_turn

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for hooks.example that nobody has signed but itself, with its key."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    write_certificate(path, ec.generate_private_key(ec.SECP256R1()))
    return path


def write_certificate(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.fixture
def receiver(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Receiver(tls=context) as running:
        yield running


def look_up(host: str, port: int, **kwargs: Any) -> list[tuple[Any, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def make_transport(certificate: Path | None = None, *, timeout: float = 5) -> Transport:
    return Transport(
        policy=AddressPolicy(LOOPBACK, True, look_up),
        timeout=timeout,
        ca_file=None if certificate is None else str(certificate),
    )


def post(transport: Transport, port: int, host: str = "hooks.example") -> Outcome:
    return transport.post(f"https://{host}:{port}/", body=b"{}", headers={})


def test_a_trusted_certificate(receiver: Receiver, certificate: Path) -> None:
    with closing(make_transport(certificate)) as transport:
        first, second = post(transport, receiver.port), post(transport, receiver.port)
    assert first.ok
    assert second.ok
    assert set(first.timings) == {"dns", "connect", "tls", "first_byte"}
    assert set(second.timings) == {"first_byte"}


def test_a_self_signed_certificate(receiver: Receiver) -> None:
    with closing(make_transport()) as transport:
        outcome = post(transport, receiver.port)
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TLS)
    assert "self-signed" in outcome.detail
    assert not receiver.messages


def test_a_certificate_for_another_host(receiver: Receiver, certificate: Path) -> None:
    with closing(make_transport(certificate)) as transport:
        for host in ("other.example", "127.0.0.1"):
            assert post(transport, receiver.port, host).error == ErrorClass.TLS
    assert not receiver.messages


def test_a_port_that_does_not_speak_tls() -> None:
    with Receiver() as plain, closing(make_transport()) as transport:
        outcome = post(transport, plain.port)
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TLS)


def test_a_handshake_that_never_comes() -> None:
    # The kernel accepts the connection for a server that never does.
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(make_transport(timeout=0.3)) as transport,
    ):
        outcome = post(transport, server.getsockname()[1])
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TIMEOUT)
    assert outcome.duration_ms < 5000


def test_the_deadline_holds_over_tls(receiver: Receiver, certificate: Path) -> None:
    drip = Reply(raw=[b"HTTP/1.1 200 OK\r\n", *[b"x"] * 1000], pause=0.02)
    receiver.behaviour = in_turn(Reply(), drip)
    with closing(make_transport(certificate, timeout=0.5)) as transport:
        assert post(transport, receiver.port).ok
        outcome = post(transport, receiver.port)
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TIMEOUT)
    assert outcome.duration_ms < 5000


def test_session_tickets_count_as_other_bytes_do(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.num_tickets = 4_000  # some 200 bytes each
    with Receiver(tls=context) as receiver, closing(make_transport(certificate)) as transport:
        outcome = post(transport, receiver.port)
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TOO_LARGE)


def test_an_endpoint_chooses_no_prime_for_us(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    write_certificate(certificate, rsa.generate_private_key(65537, 2048))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    # ffdhe2048 (RFC 7919, appendix A.1).
    scale = 2**2200
    e = sum(scale // math.factorial(number) for number in range(400))
    prime = 2**2048 - 2**1984 + (2**1918 * e // scale + 560316) * 2**64 - 1
    parameters = tmp_path / "parameters.pem"
    numbers = b"\2\x82\1\1\0" + prime.to_bytes(256) + b"\2\1\2"  # in DER, with generator 2
    der = base64.encodebytes(b"\x30\x82" + len(numbers).to_bytes(2) + numbers)
    parameters.write_bytes(
        b"-----BEGIN DH PARAMETERS-----\n" + der + b"-----END DH PARAMETERS-----\n"
    )
    context.load_dh_params(parameters)
    context.set_ciphers("DHE+AES")
    with Receiver(tls=context) as receiver, closing(make_transport(certificate)) as transport:
        assert post(transport, receiver.port).error == ErrorClass.TLS
        context.set_ciphers("DEFAULT")
        assert post(transport, receiver.port).ok


def test_who_is_not_trusted_is_told_so(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(make_transport()) as transport,
        ThreadPoolExecutor(1) as pool,
    ):
        posting = pool.submit(post, transport, server.getsockname()[1])
        connection, _ = server.accept()
        with connection, pytest.raises(ssl.SSLError, match="unknown ca"):
            context.wrap_socket(connection, server_side=True).recv(1)
        assert posting.result(20).error == ErrorClass.TLS


def test_a_kept_connection_that_died_is_replaced(receiver: Receiver, certificate: Path) -> None:
    receiver.behaviour = in_turn(Reply(), Reply(reset=True), Reply())
    with closing(make_transport(certificate)) as transport:
        assert post(transport, receiver.port).ok
        assert post(transport, receiver.port).ok
    assert len(receiver.messages) == 3


@pytest.mark.parametrize("says_so", [True, False])
def test_an_answer_without_a_length_ends_with_the_connection(
    certificate: Path, says_so: bool
) -> None:
    """RFC 9112, 9.8, has one doubt it without TLS's own end, which many servers do not send."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(make_transport(certificate)) as transport,
        ThreadPoolExecutor(1) as pool,
    ):
        posting = pool.submit(post, transport, server.getsockname()[1])
        connection, _ = server.accept()
        with context.wrap_socket(connection, server_side=True) as tls:
            received = b""
            while not received.endswith(b"{}"):  # what is not read would end it with a reset
                received += tls.recv(65536)
            tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
            if says_so:
                with suppress(OSError):  # we end it without a word of our own
                    tls.unwrap()
        outcome = posting.result(20)
    assert (outcome.ok, outcome.status, outcome.response_head) == (True, 200, "hello")


def test_bytes_behind_an_answer_end_its_connection(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    left = b"HTTP/1.1 201 Not yours\r\nContent-Length: 0\r\n\r\n"
    with Receiver(tls=context) as receiver, closing(make_transport(certificate)) as transport:
        receiver.behaviour = in_turn(
            Reply(raw=[b"HTTP/1.1 204 No Content\r\n\r\n" + left], keep_open=True), Reply()
        )
        assert post(transport, receiver.port).status == 204
        following = post(transport, receiver.port)
    assert (following.status, "tls" in following.timings) == (200, True)
