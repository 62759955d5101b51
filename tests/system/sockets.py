"""Connections to the web server, byte by byte."""

import socket
from urllib.parse import urlsplit

from tests.system.stack import Stack

POST = "POST /v1/normalizations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{}"


def connect(stack: Stack, sent: str, *, window: int | None = None) -> socket.socket:
    address = urlsplit(stack.web_url)
    connection = socket.socket()
    connection.settimeout(30)
    if window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.connect((address.hostname, address.port))
    connection.sendall(sent.encode())
    return connection
