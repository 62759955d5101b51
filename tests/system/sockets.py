"""Connections to the web server, byte by byte."""

import socket
from urllib.parse import urlsplit

from tests.system.stack import Stack

POST = "POST /v1/normalizations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{}"


def connect(
    stack: Stack, sent: str, *, window: int | None = None, source: str = ""
) -> socket.socket:
    """Connect, and send something.

    Args:
        stack: Whose web server.
        sent: What is sent.
        window: How much the kernel takes of what is not read, in bytes.
        source: The address to connect from.
    """
    address = urlsplit(stack.web_url)
    connection = socket.socket()
    connection.settimeout(30)
    if window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    if source:
        connection.bind((source, 0))
    connection.connect((address.hostname, address.port))
    connection.sendall(sent.encode())
    return connection
